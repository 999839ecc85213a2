/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE       "/dev/fuse"
#define MAX_OPCODES  64u
#define MAX_WAITING  4096u
#define BUFFER_BYTES (256u << 10)
#define WRITE_BYTES  4096u

#define LOOK_MS 100
#define FIELDS_BEFORE_FLAGS \
	7u                 /* behind the name: state, parent, group, session, terminal, its group */
#define FLAG_EXITING 0x4ul /* the kernel's PF_EXITING, in /proc/PID/stat */

/* What the server and the test both see. */
struct fuse_shared {
	_Atomic bool answering;
	_Atomic unsigned int asked[MAX_OPCODES];
};

/* The server's process. */
struct server {
	int device;
	int control;
	struct fuse_shared *shared;
	struct fuse_in_header waiting[MAX_WAITING];
	size_t num_waiting;
};

static void reply(const struct server *server, uint64_t unique, int error, const void *data,
		  size_t bytes)
{
	unsigned char answer[256];
	const struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + bytes), .error = error, .unique = unique};

	memcpy(answer, &header, sizeof(header));
	if (bytes > 0)
		memcpy(answer + sizeof(header), data, bytes);
	/* It fails if whoever asked has ended. */
	if (write(server->device, answer, header.len) < 0 && errno != ENOENT)
		perror("answer of a FUSE server");
}

static void reply_attributes(const struct server *server, const struct fuse_in_header *request)
{
	const struct fuse_attr_out answer = {
		.attr = {.ino = 1, .mode = S_IFREG | 0666, .nlink = 1}};

	reply(server, request->unique, 0, &answer, sizeof(answer));
}

static void answer(const struct server *server, const struct fuse_in_header *request)
{
	const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
					   .minor = 31,
					   .max_background = 16,
					   .congestion_threshold = 12,
					   .max_write = WRITE_BYTES,
					   .time_gran = 1};
	const struct fuse_open_out opened = {.fh = 1, .open_flags = FOPEN_DIRECT_IO};
	const struct fuse_write_out written = {.size = 8};
	const struct fuse_poll_out polled = {.revents = POLLIN | POLLOUT};

	switch (request->opcode) {
	case FUSE_INIT:
		reply(server, request->unique, 0, &init, sizeof(init));
		break;
	case FUSE_OPEN:
		reply(server, request->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_GETATTR:
		reply_attributes(server, request);
		break;
	case FUSE_WRITE:
		reply(server, request->unique, 0, &written, sizeof(written));
		break;
	case FUSE_POLL:
		reply(server, request->unique, 0, &polled, sizeof(polled));
		break;
	case FUSE_READ:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_FSYNC:
		reply(server, request->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: /* of a request that waits, and goes on to */
		break;
	default:
		reply(server, request->unique, -ENOSYS, NULL, 0);
	}
}

/* What nobody waits for, and what opening the file takes. */
static bool is_answered_always(uint32_t opcode)
{
	return opcode == FUSE_INIT || opcode == FUSE_OPEN || opcode == FUSE_RELEASE ||
	       opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT ||
	       opcode == FUSE_DESTROY;
}

static void take_request(struct server *server)
{
	static _Alignas(8) unsigned char buffer[BUFFER_BYTES];
	const struct fuse_in_header *request = (const void *)buffer;

	if (read(server->device, buffer, sizeof(buffer)) < (ssize_t)sizeof(*request)) {
		if (errno == ENODEV)
			_exit(0);
		return; /* the process has been killed meanwhile */
	}
	if (is_answered_always(request->opcode) || atomic_load(&server->shared->answering)) {
		answer(server, request);
		return;
	}
	if (server->num_waiting < MAX_WAITING)
		server->waiting[server->num_waiting++] = *request;
	if (request->opcode < MAX_OPCODES)
		atomic_fetch_add(&server->shared->asked[request->opcode], 1);
}

/* A byte: answer. The end: this is the end. */
static void take_order(struct server *server)
{
	char byte;

	if (read(server->control, &byte, 1) != 1)
		_exit(0);
	atomic_store(&server->shared->answering, true);
	for (size_t i = 0; i < server->num_waiting; i++)
		answer(server, &server->waiting[i]);
	server->num_waiting = 0;
	if (write(server->control, &byte, 1) != 1)
		_exit(0);
}

static void give_up(const char *what)
{
	fprintf(stderr, "FUSE server: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void mount_file(const struct server *server, const char *path)
{
	char options[128];

	if (unshare(CLONE_NEWNS) != 0)
		give_up("a mount namespace (is this root?)");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		give_up("a private mount namespace");
	snprintf(options, sizeof(options), "fd=%d,rootmode=100666,user_id=0,group_id=0,allow_other",
		 server->device);
	if (mount("crossvm-test", path, "fuse", MS_NOSUID | MS_NODEV, options) != 0)
		give_up("mount a FUSE file system");
}

/*
 * Whether the test is ending. It has the file open, and a process that ends waits at that, before it
 * has closed anything else in earnest and before it is said to have ended.
 */
static bool is_ending(pid_t test)
{
	char path[64], line[512];
	unsigned long flags = FLAG_EXITING;
	const char *field;
	size_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)test);
	file = fopen(path, "re");
	if (file != NULL) {
		bytes = fread(line, 1, sizeof(line) - 1, file);
		fclose(file);
	}
	line[bytes] = '\0';
	/* What comes before is the program's name, in parentheses, which may contain anything. */
	field = strrchr(line, ')');
	for (unsigned int i = 0; field != NULL && i < FIELDS_BEFORE_FLAGS; i++)
		field = strchr(field + 1, ' ');
	if (field != NULL)
		flags = strtoul(field, NULL, 10);
	return (flags & FLAG_EXITING) != 0;
}

static void run_server(int control, const char *path, struct fuse_shared *shared)
{
	const pid_t test = getppid();
	static struct server server;
	struct pollfd ready[2];
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	server = (struct server){
		.device = open(DEVICE, O_RDWR | O_CLOEXEC), .control = control, .shared = shared};
	if (server.device < 0)
		give_up("open " DEVICE " (modprobe fuse?)");
	mount_file(&server, path);
	if (write(control, &byte, 1) != 1)
		_exit(1);
	ready[0] = (struct pollfd){.fd = server.device, .events = POLLIN};
	ready[1] = (struct pollfd){.fd = control, .events = POLLIN};
	for (;;) {
		if (poll(ready, 2, LOOK_MS) <= 0) {
			if (is_ending(test))
				_exit(0);
			continue;
		}
		if (ready[1].revents != 0)
			take_order(&server);
		if (ready[0].revents != 0)
			take_request(&server);
	}
}

void fuse_open(struct fuse_file *file, const char *folder)
{
	char path[128], outside[160];
	int pair[2];
	char byte;
	int fd;

	snprintf(path, sizeof(path), "%s/file-on-fuse", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	file->shared = mmap(NULL, sizeof(*file->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(file->shared != MAP_FAILED);
	atomic_store(&file->shared->answering, true);
	file->control = pair[0];
	file->server = fork();
	assert_true(file->server >= 0);
	if (file->server == 0) {
		close(file->control);
		run_server(pair[1], path, file->shared);
	}
	close(pair[1]);
	if (read(file->control, &byte, 1) != 1)
		fail_msg("no FUSE file here: %s", "this test needs root, mount namespaces and "
						  "/dev/fuse; the server has said what is missing");
	/* It is mounted for the server only. */
	snprintf(outside, sizeof(outside), "/proc/%d/root%s", (int)file->server, path);
	file->fd = open(outside, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		fail_msg("no FUSE file here: open %s: %s", outside, strerror(errno));
	atomic_store(&file->shared->answering, false);
}

void fuse_forget(struct fuse_file *file)
{
	if (file->server > 0)
		close(file->control);
}

unsigned int fuse_asked(const struct fuse_file *file, enum fuse_opcode what)
{
	return atomic_load(&file->shared->asked[what]);
}

unsigned int fuse_asked_anything(const struct fuse_file *file)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < MAX_OPCODES; i++)
		sum += atomic_load(&file->shared->asked[i]);
	return sum;
}

void fuse_answer(struct fuse_file *file)
{
	char byte = 0;

	if (write(file->control, &byte, 1) != 1 || read(file->control, &byte, 1) != 1)
		fprintf(stderr, "the FUSE server has ended by itself\n");
}

void fuse_close(struct fuse_file *file)
{
	if (file->server <= 0)
		return;
	close(file->control);
	waitpid(file->server, NULL, 0);
	if (file->fd > 0)
		close(file->fd);
	munmap(file->shared, sizeof(*file->shared));
	*file = (struct fuse_file){0};
}
