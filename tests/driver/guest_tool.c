/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs inside a guest and uses a UIO device as programs do. Each command exits with 0 when all it
 * says held; otherwise it prints what did not. The first four do to a system call what programs of
 * the first interface do, which know nothing of names, maps or the status page.
 *
 *	wait DEVICE                     open, read() once, print the count
 *	emit DEVICE                     map 0 for writing, store a byte to its start
 *	dataport_write DEVICE BYTES TEXT
 *	dataport_read DEVICE BYTES
 *	word DEVICE MAP OFFSET          print a 32-bit word of a map
 *	store DEVICE MAP OFFSET VALUE   store one
 *	fill DEVICE MAP BYTES SEED      write a pattern over all of a map
 *	check DEVICE MAP BYTES SEED     see whether it is there, also through mappings that were split,
 *	                                moved and inherited
 *	refuses DEVICE MAP              no way to write to a map
 *	refuses_size DEVICE MAP BYTES   no mapping of more than BYTES
 *	total DEVICE MAP COUNT          wait until the status page in MAP counts COUNT events
 *	sum DEVICE MAP COUNT            as total, with those that the other member counts in the next map
 *	ring DEVICE MAP POSITION        count and ring by the doorbell's pages in MAP
 *	write DEVICE VALUE              write a 32-bit number to the device
 *	poll DEVICE                     poll() until readable, then again after read()
 *	watch DEVICE MAP                as poll, with the status page mapped
 *	outlive DEVICE BYTES            have the device taken away, everything mapped
 *	hold DEVICE                     open, until killed
 *	hold_map DEVICE MAP             likewise, with a map of one page
 *	spin DEVICE MAP BYTES           touch all of a map again and again, until killed
 *	unaligned FILE MAP BYTES        load and store at any address, as on any memory
 *	memory_type FILE MAP            print an arm64 processor's type of memory, as in MAIR_EL1
 *	as UID GID COMMAND...           run a command with another user and group
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/abi.h>

#include "tests/driver/pattern.h"

#define PAGE ((size_t)CROSSVM_PAGE_BYTES)

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(" (errno %d: %s)\n", errno, strerror(errno));
	exit(1);
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		fail("cannot open %s", path);
	return fd;
}

static void *map(int fd, unsigned long index, size_t bytes, int protection, int flags)
{
	void *address = mmap(NULL, bytes, protection, flags, fd, (off_t)(index * PAGE));

	if (address == MAP_FAILED)
		fail("cannot map %zu bytes of map %lu", bytes, index);
	return address;
}

static unsigned long number(const char *text)
{
	return strtoul(text, NULL, 0);
}

static int do_wait(char **arguments)
{
	int fd = open_device(arguments[0], O_RDWR);
	int value;

	say("opened");
	if (read(fd, &value, sizeof(value)) != sizeof(value))
		fail("read");
	printf("%d\n", value);
	return 0;
}

static int do_emit(char **arguments)
{
	int fd = open_device(arguments[0], O_RDWR);
	volatile char *registers = map(fd, 0, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED);

	registers[0] = 1;
	return 0;
}

static int do_dataport_write(char **arguments)
{
	size_t bytes = number(arguments[1]);
	int fd = open_device(arguments[0], O_RDWR);
	char *dataport = map(fd, 1, bytes, PROT_READ | PROT_WRITE, MAP_SHARED);

	strncpy(dataport, arguments[2], bytes);
	return 0;
}

static int do_dataport_read(char **arguments)
{
	size_t bytes = number(arguments[1]);
	int fd = open_device(arguments[0], O_RDWR);
	const char *dataport = map(fd, 1, bytes, PROT_READ | PROT_WRITE, MAP_SHARED);

	printf("%s\n", dataport);
	return 0;
}

static int do_word(char **arguments)
{
	int fd = open_device(arguments[0], O_RDONLY);
	const volatile uint32_t *words = map(fd, number(arguments[1]), PAGE, PROT_READ, MAP_SHARED);

	printf("%u\n", words[number(arguments[2]) / 4]);
	return 0;
}

static int do_store(char **arguments)
{
	int fd = open_device(arguments[0], O_RDWR);
	volatile uint32_t *words =
		map(fd, number(arguments[1]), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	words[number(arguments[2]) / 4] = (uint32_t)number(arguments[3]);
	return 0;
}

static int do_fill(char **arguments)
{
	size_t bytes = number(arguments[2]);
	int fd = open_device(arguments[0], O_RDWR);
	void *memory = map(fd, number(arguments[1]), bytes, PROT_READ | PROT_WRITE, MAP_SHARED);

	pattern_fill(memory, bytes, number(arguments[3]));
	return 0;
}

static void check_pages(const char *what, const unsigned char *memory, size_t from, size_t until,
			uint64_t seed)
{
	for (size_t at = from; at < until; at += sizeof(uint64_t)) {
		uint64_t word = *(const volatile uint64_t *)(const void *)(memory + at);

		if (word != pattern_word(at / sizeof(uint64_t), seed))
			fail("%s: another word at %zu", what, at);
	}
}

static void check_in_child(const unsigned char *memory, size_t bytes, uint64_t seed)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		check_pages("inherited", memory, 0, bytes, seed);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		fail("the child has not found the pattern");
}

static int do_check(char **arguments)
{
	unsigned long index = number(arguments[1]);
	size_t bytes = number(arguments[2]);
	uint64_t seed = number(arguments[3]);
	int fd = open_device(arguments[0], O_RDONLY);
	unsigned char *memory = map(fd, index, bytes, PROT_READ, MAP_PRIVATE);
	unsigned char *moved;

	check_pages("private", memory, 0, bytes, seed);
	munmap(memory, bytes);
	memory = map(fd, index, bytes, PROT_READ, MAP_SHARED);
	/* From the end: the first fault is not at the start of the mapping. */
	check_pages("end", memory, bytes - PAGE, bytes, seed);
	check_in_child(memory, bytes, seed);
	check_pages("whole", memory, 0, bytes, seed);
	munmap(memory, bytes);
	if (bytes < 3 * PAGE)
		return 0;

	/* Split before any page of the rest was touched, then moved. */
	memory = map(fd, index, bytes, PROT_READ, MAP_SHARED);
	munmap(memory + PAGE, PAGE);
	check_pages("split", memory, 2 * PAGE, bytes, seed);
	check_pages("split", memory, 0, PAGE, seed);
	moved = mremap(memory + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory + PAGE);
	if (moved == MAP_FAILED)
		fail("cannot move a page of the mapping");
	check_pages("moved", moved - 2 * PAGE, 2 * PAGE, 3 * PAGE, seed);
	if (mremap(memory, PAGE, 2 * bytes, MREMAP_MAYMOVE) != MAP_FAILED)
		fail("a mapping could grow");
	return 0;
}

static void refuse_write_by_proc(void *address)
{
	uint32_t before = *(volatile uint32_t *)address;
	uint32_t other = ~before;
	int fd = open("/proc/self/mem", O_RDWR);

	if (fd < 0)
		fail("/proc/self/mem");
	if (pwrite(fd, &other, sizeof(other), (off_t)(uintptr_t)address) > 0)
		fail("/proc/self/mem wrote to it");
	if (*(volatile uint32_t *)address != before)
		fail("the write has arrived");
	close(fd);
}

static int do_refuses(char **arguments)
{
	static const int sharing[] = {MAP_SHARED, MAP_PRIVATE};
	unsigned long index = number(arguments[1]);
	off_t offset = (off_t)(index * PAGE);
	int fd = open_device(arguments[0], O_RDWR);

	for (int i = 0; i < 2; i++) {
		void *address;

		if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, sharing[i], fd, offset) != MAP_FAILED)
			fail("mapped for writing");
		if (errno != EACCES)
			fail("refused with another error than EACCES");
		address = map(fd, index, PAGE, PROT_READ, sharing[i]);
		if (!mprotect(address, PAGE, PROT_READ | PROT_WRITE))
			fail("made writable later");
		if (errno != EACCES)
			fail("mprotect refused with another error than EACCES");
		refuse_write_by_proc(address);
	}
	/* A file opened for reading gives a writable mapping of nothing. */
	fd = open_device(arguments[0], O_RDONLY);
	for (index = 0; index < 2; index++) {
		void *address = map(fd, index, PAGE, PROT_READ, MAP_SHARED);

		if (!mprotect(address, PAGE, PROT_READ | PROT_WRITE))
			fail("made map %lu writable through a file opened for reading", index);
	}
	return 0;
}

static int do_refuses_size(char **arguments)
{
	off_t offset = (off_t)(number(arguments[1]) * PAGE);
	size_t bytes = number(arguments[2]) + PAGE;
	int fd = open_device(arguments[0], O_RDONLY);

	if (mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, offset) != MAP_FAILED)
		fail("mapped %zu bytes", bytes);
	return errno == EINVAL ? 0 : 1;
}

static int do_total(char **arguments)
{
	uint64_t wanted = number(arguments[2]);
	int fd = open_device(arguments[0], O_RDWR);
	const struct crossvm_status_page *status =
		map(fd, number(arguments[1]), PAGE, PROT_READ, MAP_SHARED);
	int wakes = 0;
	int value;

	say("opened");
	while (__atomic_load_n(&status->total_events, __ATOMIC_ACQUIRE) < wanted) {
		if (read(fd, &value, sizeof(value)) != sizeof(value))
			fail("read");
		wakes++;
	}
	printf("%llu events, %d wake-ups\n", (unsigned long long)status->total_events, wakes);
	return status->total_events != wanted;
}

static uint64_t sum_of(const struct crossvm_status_page *status,
		       const struct crossvm_doorbell_page *other)
{
	return __atomic_load_n(&status->total_events, __ATOMIC_ACQUIRE) +
	       __atomic_load_n(&other->emitted, __ATOMIC_ACQUIRE);
}

static int do_sum(char **arguments)
{
	unsigned long index = number(arguments[1]);
	uint64_t wanted = number(arguments[2]);
	int fd = open_device(arguments[0], O_RDONLY);
	const struct crossvm_status_page *status = map(fd, index, PAGE, PROT_READ, MAP_SHARED);
	const struct crossvm_doorbell_page *other = map(fd, index + 1, PAGE, PROT_READ, MAP_SHARED);
	int value;

	say("opened");
	while (sum_of(status, other) < wanted) {
		if (read(fd, &value, sizeof(value)) != sizeof(value))
			fail("read");
	}
	printf("%llu events\n", (unsigned long long)sum_of(status, other));
	return sum_of(status, other) != wanted;
}

static int do_ring(char **arguments)
{
	uint32_t position = (uint32_t)number(arguments[2]);
	int fd = open_device(arguments[0], O_RDWR);
	struct crossvm_doorbell_page *own =
		map(fd, number(arguments[1]), 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint32_t *registers = (void *)(own + 1);

	if (registers[CROSSVM_DOORBELL_REG_POSITION / 4] != position)
		fail("position %u", registers[CROSSVM_DOORBELL_REG_POSITION / 4]);
	__atomic_fetch_add(&own->emitted, 1, __ATOMIC_SEQ_CST);
	registers[CROSSVM_DOORBELL_REG_RING / 4] = CROSSVM_DOORBELL_RING(position);
	return 0;
}

static int do_write(char **arguments)
{
	int fd = open_device(arguments[0], O_WRONLY);
	int32_t value = (int32_t)number(arguments[1]);

	if (write(fd, &value, sizeof(value)) != sizeof(value))
		fail("write");
	return 0;
}

/* Wait for a wake-up, take it, and see that there is no other. */
static void poll_once(int fd)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int value;

	if (poll(&wanted, 1, 0) != 0)
		fail("readable before anything happened");
	say("opened");
	if (poll(&wanted, 1, -1) != 1 || wanted.revents != POLLIN)
		fail("poll says %x", wanted.revents);
	if (read(fd, &value, sizeof(value)) != sizeof(value))
		fail("read");
	if (poll(&wanted, 1, 0) != 0)
		fail("readable after it was read");
	if (read(fd, &value, sizeof(value)) != -1 || errno != EAGAIN)
		fail("read without an event");
	if (read(fd, &value, 1) != -1 || errno != EINVAL)
		fail("read of one byte");
	say("woken");
}

static int do_poll(char **arguments)
{
	poll_once(open_device(arguments[0], O_RDWR | O_NONBLOCK));
	return 0;
}

static int do_watch(char **arguments)
{
	int fd = open_device(arguments[0], O_RDONLY | O_NONBLOCK);

	map(fd, number(arguments[1]), PAGE, PROT_READ, MAP_SHARED);
	poll_once(fd);
	return 0;
}

static sigjmp_buf after_bus_error;

static void handle_bus_error(int signal)
{
	(void)signal;
	siglongjmp(after_bus_error, 1);
}

static bool is_accessible(const volatile unsigned char *address)
{
	if (sigsetjmp(after_bus_error, 1))
		return false;
	(void)*address;
	return true;
}

static int do_outlive(char **arguments)
{
	size_t bytes = number(arguments[1]);
	int fd = open_device(arguments[0], O_RDWR);
	unsigned char *maps[] = {
		map(fd, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED),
		map(fd, 1, bytes, PROT_READ | PROT_WRITE, MAP_SHARED),
		map(fd, 2, PAGE, PROT_READ, MAP_SHARED),
		map(fd, 1, bytes, PROT_READ, MAP_PRIVATE),
		map(fd, 1, bytes, PROT_READ,
		    MAP_SHARED), /* not touched until the device has gone */
	};
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int value;

	signal(SIGBUS, handle_bus_error);
	for (int i = 0; i < 4; i++) {
		if (!is_accessible(maps[i]))
			fail("mapping %d is not accessible", i);
	}
	say("opened");
	if (read(fd, &value, sizeof(value)) != -1 || errno != EIO)
		fail("read does not end with EIO");
	if (poll(&wanted, 1, -1) != 1 || !(wanted.revents & POLLERR))
		fail("poll says %x", wanted.revents);
	/* Mappings end a moment later than reads. */
	for (int i = 0; i < 5; i++) {
		while (is_accessible(maps[i]))
			usleep(1000);
	}
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
		fail("mapped what has gone");
	value = CROSSVM_UIO_EMIT;
	if (write(fd, &value, sizeof(value)) != -1 || (errno != EINVAL && errno != EIO))
		fail("write to what has gone");
	say("gone");
	return 0;
}

static int do_hold(char **arguments)
{
	open_device(arguments[0], O_RDWR);
	say("opened");
	return pause();
}

static int do_hold_map(char **arguments)
{
	map(open_device(arguments[0], O_RDWR), number(arguments[1]), PAGE, PROT_READ, MAP_SHARED);
	say("opened");
	return pause();
}

static int do_spin(char **arguments)
{
	size_t bytes = number(arguments[2]);
	int fd = open_device(arguments[0], O_RDONLY);
	const volatile unsigned char *memory =
		map(fd, number(arguments[1]), bytes, PROT_READ, MAP_SHARED);

	say("opened");
	for (size_t at = 0; at < bytes; at = (at + PAGE) % bytes)
		(void)memory[at];
	return 1;
}

struct anywhere {
	uint64_t value;
} __attribute__((packed));

/* What compilers and C libraries do with memory: words at odd addresses, vectors, whole cache lines. */
static int do_unaligned(char **arguments)
{
	unsigned char expected[1024], block[sizeof(expected)];
	size_t bytes = number(arguments[2]);
	int fd = open_device(arguments[0], O_RDWR);
	unsigned char *memory =
		map(fd, number(arguments[1]), bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
	/* Over the border of two pages where there are two. */
	unsigned char *at = memory + (bytes > PAGE ? PAGE : bytes) - sizeof(block) / 2;

	if (bytes <= PAGE)
		at -= sizeof(block) / 2;
	for (size_t i = 0; i < sizeof(block) - sizeof(uint64_t); i++) {
		volatile struct anywhere *word = (void *)(at + i);

		word->value = pattern_word(i, 0);
		if (word->value != pattern_word(i, 0))
			fail("another word at %zu", i);
	}
	for (size_t length = 1; length <= sizeof(block) / 2; length++) {
		memset(expected, 0xa5, sizeof(expected));
		memset(expected + length, 0, length);
		memcpy(at, memset(block, 0xa5, sizeof(block)), sizeof(block));
		memset(at + length, 0, length);
		memmove(block, at, sizeof(block));
		if (memcmp(block, expected, sizeof(block)) != 0)
			fail("%zu bytes were cleared otherwise", length);
	}
	return 0;
}

static int do_memory_type(char **arguments)
{
	int fd = open_device(arguments[0], O_RDWR);
	const volatile uint32_t *word = map(fd, number(arguments[1]), PAGE, PROT_READ, MAP_SHARED);
	int type;

	(void)*word;
	type = ioctl(open_device("/dev/memory_type", O_RDONLY), 0, word);
	if (type < 0)
		fail("the module does not tell the type of memory");
	printf("%02x\n", type);
	return 0;
}

static int do_as(char **arguments)
{
	if (setgroups(0, NULL) || setgid((gid_t)number(arguments[1])) ||
	    setuid((uid_t)number(arguments[0])))
		fail("cannot become another user");
	execv(arguments[2], arguments + 2);
	fail("exec");
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **arguments);
} commands[] = {
	{"wait", 1, do_wait},
	{"emit", 1, do_emit},
	{"dataport_write", 3, do_dataport_write},
	{"dataport_read", 2, do_dataport_read},
	{"word", 3, do_word},
	{"store", 4, do_store},
	{"fill", 4, do_fill},
	{"check", 4, do_check},
	{"refuses", 2, do_refuses},
	{"refuses_size", 3, do_refuses_size},
	{"total", 3, do_total},
	{"sum", 3, do_sum},
	{"ring", 3, do_ring},
	{"write", 2, do_write},
	{"poll", 1, do_poll},
	{"watch", 2, do_watch},
	{"outlive", 2, do_outlive},
	{"hold", 1, do_hold},
	{"hold_map", 2, do_hold_map},
	{"spin", 3, do_spin},
	{"unaligned", 3, do_unaligned},
	{"memory_type", 2, do_memory_type},
	{"as", 3, do_as},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[1]) == 0 && argc - 2 >= commands[i].arguments)
			return commands[i].run(argv + 2);
	}
	printf("guest_tool: what is that?\n");
	return 2;
}
