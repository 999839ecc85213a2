/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define MUST(condition)                     \
	do {                                \
		if (!(condition)) {         \
			perror(#condition); \
			abort();            \
		}                           \
	} while (0)

#define PCI    "sys/bus/pci/devices/"
#define UIO    "sys/class/uio/uio0"
#define CONFIG PCI FAKE_EVENTS "/config"

/* The one guest whose UIO device the wrapped calls serve. */
static const struct fake_guest *wrapped;
static bool removed;

struct path {
	char text[256];
};

static struct path at(const struct fake_guest *guest, const char *path)
{
	struct path result;

	snprintf(result.text, sizeof(result.text), "%s/%s", guest->root, path);
	return result;
}

/* Open a file, having made the folders on the way. */
static int create(const struct fake_guest *guest, const char *path)
{
	struct path file = at(guest, path);
	int fd;

	for (char *slash = strchr(file.text + strlen(guest->root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(file.text, 0755);
		*slash = '/';
	}
	fd = open(file.text, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	return fd;
}

void fake_guest_file(const struct fake_guest *guest, const char *path, const char *text)
{
	int fd;

	if (!text) {
		unlink(at(guest, path).text);
		return;
	}
	fd = create(guest, path);
	MUST(ftruncate(fd, 0) == 0);
	MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

void fake_guest_link(const struct fake_guest *guest, const char *path, const char *target)
{
	unlink(at(guest, path).text);
	close(create(guest, path)); /* for the folders */
	MUST(unlink(at(guest, path).text) == 0);
	MUST(symlink(target, at(guest, path).text) == 0);
}

void fake_guest_resize(const struct fake_guest *guest, const char *path, off_t bytes)
{
	MUST(truncate(at(guest, path).text, bytes) == 0);
}

unsigned char *fake_guest_ring_mapped;

static void *add_memory(const struct fake_guest *guest, const char *path, size_t bytes)
{
	int fd = create(guest, path);
	void *address;

	MUST(ftruncate(fd, (off_t)bytes) == 0);
	address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(address != MAP_FAILED);
	close(fd);
	return address;
}

void fake_guest_create(struct fake_guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	scratch_make(guest->root);
	guest->fifo = -1;
	wrapped = guest;
	removed = false;
}

void fake_guest_destroy(struct fake_guest *guest)
{
	wrapped = NULL;
	if (guest->fifo >= 0)
		close(guest->fifo);
	if (guest->registers) {
		munmap(guest->registers, CROSSVM_PAGE_BYTES);
		munmap(guest->status, CROSSVM_PAGE_BYTES);
		munmap(guest->dataport, FAKE_GUEST_BAR_BYTES);
	}
	if (guest->doorbell)
		munmap(guest->doorbell, CROSSVM_PAGE_BYTES);
	if (guest->ring)
		munmap(guest->ring, 2 * CROSSVM_PAGE_BYTES);
	scratch_remove(guest->root);
}

static void fill_registers(uint32_t *registers)
{
	strcpy((char *)&registers[CROSSVM_REG_NAME / 4], "telemetry");
	registers[CROSSVM_REG_MAGIC / 4] = CROSSVM_ABI_MAGIC;
	registers[CROSSVM_REG_VERSION / 4] = CROSSVM_ABI_VERSION;
	registers[CROSSVM_REG_FEATURES / 4] =
		CROSSVM_FEATURE_STATUS_PAGE | CROSSVM_FEATURE_PEERS | CROSSVM_FEATURE_DATAPORT;
	registers[CROSSVM_REG_CONNECTION_ID / 4] = 7;
	registers[CROSSVM_REG_MEMBER_COUNT / 4] = 2;
	registers[CROSSVM_REG_ACCESS / 4] = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	registers[CROSSVM_REG_DATAPORT_BYTES / 4] = FAKE_GUEST_DATAPORT_BYTES;
}

static void fill_status(struct crossvm_status_page *status)
{
	status->magic = CROSSVM_ABI_MAGIC;
	status->version = CROSSVM_ABI_VERSION;
	status->connection_id = 7;
	status->member_count = 2;
	status->access = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	status->features =
		CROSSVM_FEATURE_STATUS_PAGE | CROSSVM_FEATURE_PEERS | CROSSVM_FEATURE_DATAPORT;
	status->dataport_bytes = FAKE_GUEST_DATAPORT_BYTES;
	strcpy((char *)status->name, "telemetry");
	strcpy((char *)status->peer_names[0], "autopilot");
	strcpy((char *)status->peer_names[1], "sensor");
}

static void add_function(const struct fake_guest *guest, const char *address, const char *device,
			 const char *driver)
{
	const struct {
		const char *attribute;
		const char *text;
	} attributes[] = {
		{"vendor", "0x1af4\n"}, {"device", device}, {"subsystem_device", "0x0007\n"},
		{"revision", "0x02\n"}, {"irq", "11\n"},    {"enable", "0\n"},
		{"config", ""},
	};
	char path[128];

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		snprintf(path, sizeof(path), PCI "%s/%s", address, attributes[i].attribute);
		fake_guest_file(guest, path, attributes[i].text);
	}
	fake_guest_resize(guest, path, 256);
	if (driver) {
		char target[64];

		snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
		snprintf(path, sizeof(path), PCI "%s/driver", address);
		fake_guest_link(guest, path, target);
	}
}

void fake_guest_add_device(struct fake_guest *guest, const char *driver)
{
	add_function(guest, FAKE_EVENTS, "0xa111\n", driver);
	add_function(guest, FAKE_MEMORY, "0xa112\n", driver);
	guest->registers = add_memory(guest, PCI FAKE_EVENTS "/resource0", CROSSVM_PAGE_BYTES);
	guest->status = add_memory(guest, PCI FAKE_MEMORY "/resource0", CROSSVM_PAGE_BYTES);
	guest->dataport = add_memory(guest, PCI FAKE_MEMORY "/resource2", FAKE_GUEST_BAR_BYTES);
	fill_registers(guest->registers);
	fill_status(guest->status);
	fake_guest_set_command(guest, 0x0402);
}

void fake_guest_single(struct fake_guest *guest)
{
	const struct crossvm_status_page status = *guest->status;
	uint32_t registers[CROSSVM_PAGE_BYTES / 4];
	unsigned char *both;

	memcpy(registers, guest->registers, sizeof(registers));
	fake_guest_file(guest, PCI FAKE_MEMORY "/vendor", NULL);
	both = add_memory(guest, PCI FAKE_EVENTS "/resource0",
			  CROSSVM_SINGLE_STATUS_OFFSET + CROSSVM_PAGE_BYTES);
	memcpy(both, registers, sizeof(registers));
	memcpy(both + CROSSVM_SINGLE_STATUS_OFFSET, &status, sizeof(status));
	munmap(both, CROSSVM_SINGLE_STATUS_OFFSET + CROSSVM_PAGE_BYTES);
	munmap(add_memory(guest, PCI FAKE_EVENTS "/resource1", FAKE_GUEST_BAR_BYTES),
	       FAKE_GUEST_BAR_BYTES);
}

static void add_uio(struct fake_guest *guest, const char *name)
{
	fake_guest_file(guest, "dev/null", "");
	MUST(mkfifo(at(guest, "dev/uio0").text, 0600) == 0);
	guest->fifo = open(at(guest, "dev/uio0").text, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	MUST(guest->fifo >= 0);
	fake_guest_file(guest, UIO "/name", name);
	fake_guest_file(guest, UIO "/event", "0\n");
	fake_guest_link(guest, UIO "/device", "../../../bus/pci/devices/" FAKE_EVENTS);
}

void fake_guest_add_uio_crossvm(struct fake_guest *guest)
{
	add_uio(guest, "telemetry\n");
	fake_guest_file(guest, UIO "/maps/map0/name", "registers\n");
	fake_guest_file(guest, UIO "/maps/map0/size", "0x0000000000001000\n");
	fake_guest_file(guest, UIO "/maps/map1/name", "dataport\n");
	fake_guest_file(guest, UIO "/maps/map1/size", "0x0000000000003000\n");
	fake_guest_file(guest, UIO "/maps/map2/name", "status\n");
	fake_guest_file(guest, UIO "/maps/map2/size", "0x0000000000001000\n");
	fake_guest_file(guest, PCI FAKE_EVENTS "/crossvm_access", "read-write\n");
	fake_guest_file(guest, PCI FAKE_EVENTS "/crossvm_irq", "msi\n");
}

void fake_guest_add_uio_with_doorbell(struct fake_guest *guest)
{
	fake_guest_add_uio_crossvm(guest);
	guest->doorbell = add_memory(guest, PCI FAKE_DOORBELL "/resource2", CROSSVM_PAGE_BYTES);
	guest->registers[CROSSVM_REG_FEATURES / 4] |= CROSSVM_FEATURE_DOORBELL;
	guest->status->features |= CROSSVM_FEATURE_DOORBELL;
	fake_guest_file(guest, UIO "/maps/map3/name", "doorbell\n");
	fake_guest_file(guest, UIO "/maps/map3/size", "0x0000000000001000\n");
}

void fake_guest_add_ring(struct fake_guest *guest)
{
	guest->ring = add_memory(guest, PCI FAKE_DOORBELL "/resource0", 2 * CROSSVM_PAGE_BYTES);
	fake_guest_file(guest, UIO "/maps/map4/name", "ring\n");
	fake_guest_file(guest, UIO "/maps/map4/size", "0x0000000000002000\n");
}

void fake_guest_add_uio_generic(struct fake_guest *guest)
{
	add_uio(guest, "uio_pci_generic\n");
	fake_guest_file(guest, PCI FAKE_EVENTS "/uio/uio0/name", "uio_pci_generic\n");
}

uint16_t fake_guest_command(const struct fake_guest *guest)
{
	int fd = create(guest, CONFIG);
	uint16_t command;

	MUST(pread(fd, &command, sizeof(command), 4) == sizeof(command));
	close(fd);
	return command;
}

void fake_guest_set_command(const struct fake_guest *guest, uint16_t command)
{
	const char *const paths[] = {CONFIG, PCI FAKE_MEMORY "/config"};

	for (size_t i = 0; i < 2; i++) {
		int fd = create(guest, paths[i]);

		MUST(pwrite(fd, &command, sizeof(command), 4) == sizeof(command));
		close(fd);
	}
}

void fake_guest_interrupt(struct fake_guest *guest)
{
	guest->interrupts++;
	MUST(write(guest->fifo, &guest->interrupts, sizeof(guest->interrupts)) ==
	     sizeof(guest->interrupts));
}

void fake_guest_events(struct fake_guest *guest, uint64_t count)
{
	__atomic_fetch_add(&guest->status->total_events, count, __ATOMIC_RELEASE);
	guest->registers[CROSSVM_REG_PENDING / 4] |= CROSSVM_PENDING_EVENTS;
	fake_guest_interrupt(guest);
}

void fake_guest_remove(struct fake_guest *guest)
{
	removed = true;
	fake_guest_interrupt(guest);
}

int fake_guest_open(const struct fake_guest *guest, const char *name, unsigned int access,
		    struct crossvm_connection **conn)
{
	const struct crossvm_open_options options = {0};
	const struct crossvm_open_request request = {
		.root = guest->root,
		.name = name,
		.access = access,
		.options = &options,
	};

	*conn = NULL;
	return crossvm_connection_open_below(&request, conn);
}

struct crossvm_connection *fake_guest_must_open(const struct fake_guest *guest, unsigned int access)
{
	struct crossvm_connection *conn;

	if (fake_guest_open(guest, "telemetry", access, &conn))
		fail_msg("%s", crossvm_last_error());
	return conn;
}

/*
 * What the linker puts in front of libc's, in the library as well as here. With 64-bit file offsets,
 * as Meson wants them, mmap() is mmap64().
 */

void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
ssize_t __real_read(int fd, void *buffer, size_t bytes);
ssize_t __wrap_read(int fd, void *buffer, size_t bytes);

static bool is_uio(int fd)
{
	struct stat status;

	return wrapped && fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	static const char *const files[] = {
		PCI FAKE_EVENTS "/resource0", PCI FAKE_MEMORY "/resource2",
		PCI FAKE_MEMORY "/resource0", PCI FAKE_DOORBELL "/resource2",
		PCI FAKE_DOORBELL "/resource0"};
	void *mapped;
	int file;

	if (!is_uio(fd))
		return __real_mmap64(address, bytes, protection, flags, fd, offset);
	MUST(offset % CROSSVM_PAGE_BYTES == 0 && offset / CROSSVM_PAGE_BYTES < 5);
	/* As the driver does it: the status page and the other's count are for reading only. */
	MUST(!((offset / CROSSVM_PAGE_BYTES == 2 || offset / CROSSVM_PAGE_BYTES == 3) &&
	       (protection & PROT_WRITE)));
	file = open(at(wrapped, files[offset / CROSSVM_PAGE_BYTES]).text, O_RDWR | O_CLOEXEC);
	MUST(file >= 0);
	mapped = __real_mmap64(address, bytes, protection, flags, file, 0);
	close(file);
	if (offset / CROSSVM_PAGE_BYTES == 4)
		fake_guest_ring_mapped = mapped;
	return mapped;
}

ssize_t __wrap_read(int fd, void *buffer, size_t bytes)
{
	if (removed && is_uio(fd)) {
		errno = EIO;
		return -1;
	}
	/* One read takes all interrupts so far; a FIFO has them one behind the other. */
	if (is_uio(fd)) {
		ssize_t result = __real_read(fd, buffer, bytes);

		while (result > 0 && __real_read(fd, buffer, bytes) > 0)
			;
		return result;
	}
	return __real_read(fd, buffer, bytes);
}
