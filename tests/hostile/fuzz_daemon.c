/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of all sockets at once that do anything, with descriptors of every kind: the code of a whole
 * crossvmd in this process, without its holder. The input is a list of {whom and what, more}: connect to
 * a socket, send bytes or what looks like a message, read answers, leave, let the daemon work, have the
 * next worker go on. Whatever comes, the daemon must stay within its memory, come to rest when everybody
 * has gone, and have as many descriptors then as in the beginning.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "tests/hostile/descriptors.h"
#include "tests/hostile/fuse.h"
#include "vfio_user/protocol.h"
#include "vmm/linux/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS   8u
#define MAX_FDS   15u
#define MAX_TURNS 20000u
#define TICK_US   500

enum what {
	CONNECT,
	SEND,
	COMMAND, /* of vfio-user */
	REQUEST, /* of a component */
	READ,
	LEAVE,
	WORK,
	RESUME,
	WHATS,
};

static const char system_text[] = "vms: [{name: v}, {name: w}]\n"
				  "components: [{name: a}, {name: b}]\n"
				  "connections:\n"
				  "- name: link\n"
				  "  dataport: 12 KiB\n"
				  "  members:\n"
				  "  - {vm: v, access: read-write}\n"
				  "  - {vm: w, access: read-only}\n"
				  "  - {component: a, access: read-only}\n"
				  "- {name: ring, doorbell: true, members: [{vm: v}, {vm: w}]}\n"
				  "- {name: bell, members: [{component: a}, {component: b}]}\n";

static const char *const sockets[] = {
	"component.socket", "v.link.events",   "v.link.memory",
	"w.link.events",    "v.ring.doorbell", "component.socket",
};

static struct daemon daemon_under_test;
static struct log the_log;
static char folder[] = "/tmp/crossvm-fuzz-XXXXXX";
static struct fuse_file fuse;
static int clients[CLIENTS];
static size_t initial_fds;

/* What is left of the input. */
struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t next(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fuzz_daemon: %s: %s\n", what, strerror(errno));
	abort();
}

static void say_nothing(void *context, enum crossvm_log_level level, const char *message)
{
	(void)context;
	(void)level;
	need(strlen(message) > 0, "an empty message");
}

static void tick(int signal)
{
	(void)signal; /* that the system call returns is all it is for */
}

/* In the place of the worker's ticks, for libFuzzer has SIGALRM. */
static void *tick_for_ever(void *thread)
{
	for (;;) {
		usleep(TICK_US);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	}
	return NULL;
}

static void start_ticks(void)
{
	static pthread_t fuzzer;
	const struct sigaction action = {.sa_handler = tick}; /* no SA_RESTART */
	pthread_t ticker;

	fuzzer = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	need(pthread_create(&ticker, NULL, tick_for_ever, &fuzzer) == 0, "a thread");
}

static size_t count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	need(directory != NULL, "/proc/self/fd");
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

/* What a failure is about. */
static void list_fds(void)
{
	char path[32], link[128];
	struct sockaddr_un address;
	socklen_t bytes;

	for (int fd = 0; (size_t)fd < daemon_under_test.server.max_fds + 4 * CLIENTS; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, link, sizeof(link) - 1);
		if (length <= 0)
			continue;
		fprintf(stderr, "%d: %.*s", fd, (int)length, link);
		memset(&address, 0, sizeof(address));
		bytes = sizeof(address);
		if (getsockname(fd, (struct sockaddr *)&address, &bytes) == 0)
			fprintf(stderr, " of family %u at '%s'", address.sun_family,
				address.sun_family == AF_UNIX ? address.sun_path : "");
		fputc('\n', stderr);
	}
}

static void go_on(bool crashed)
{
	need(server_renew(&daemon_under_test.server, crashed) == 0, "renew");
	need(daemon_begin(&daemon_under_test, crashed) == 0, "begin");
}

static void work(unsigned int turns)
{
	while (turns-- > 0)
		if (server_turn(&daemon_under_test.server, 0) < 0)
			need(errno == EINTR, "a turn");
}

static void write_system(const char *path)
{
	FILE *file = fopen(path, "we");

	need(file != NULL && fputs(system_text, file) >= 0 && fclose(file) == 0, path);
}

static void remove_folder(void)
{
	const char *const names[] = {"system.yaml",     "file-on-fuse",  "component.socket",
				     "v.link.events",   "v.link.memory", "w.link.events",
				     "w.link.memory",   "v.ring.events", "v.ring.memory",
				     "w.ring.events",   "w.ring.memory", "v.ring.doorbell",
				     "w.ring.doorbell", "crossvmd.lock"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static int make(enum hostile_kind kind)
{
	if (kind == HOSTILE_FUSE)
		return fcntl(fuse.fd, F_DUPFD_CLOEXEC, 0);
	return kind == HOSTILE_OURS ? dup(clients[0]) : descriptor_make(kind);
}

/* Before the daemon is there, so that it takes what is made once for its own and lets it be. */
static void prepare_descriptors(void)
{
	fuse_open(&fuse, folder);
	fuse_answer(&fuse);
	start_ticks();
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i] = -1;
	for (enum hostile_kind kind = 0; kind < HOSTILE_KINDS; kind++)
		close(make(kind));
}

static void start(void)
{
	static struct crossvm_system *system;
	static const struct rights rights = {0};
	struct daemon *daemon = &daemon_under_test;
	struct rlimit limit;
	char *message = NULL;
	char path[128];

	need(mkdtemp(folder) != NULL, "a folder below /tmp");
	atexit(remove_folder);
	prepare_descriptors();
	snprintf(path, sizeof(path), "%s/system.yaml", folder);
	write_system(path);
	need(crossvm_system_read(path, folder, &system, &message) == 0, message);
	need(daemon_create(daemon, system, folder, &rights, &the_log) == 0, "the daemon");
	need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "a limit");
	limit.rlim_cur += 2 * CLIENTS;
	limit.rlim_max = limit.rlim_cur > limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "descriptors for clients");
	daemon->server.log.function = say_nothing;
	daemon->server.closing.closers = false; /* there is no holder */
	go_on(false);
	work(10);
}

/* Send, with descriptors as the input says: how many, and of which kind the first is. */
static void send_with_fds(int client, const void *bytes, size_t count, struct input *input)
{
	const uint8_t which = next(input);
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = count};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg = (void *)control;
	int fds[MAX_FDS];
	size_t num_fds = 0;

	for (size_t i = 0; i < (which & 15u); i++) {
		fds[num_fds] = make((enum hostile_kind)(((which >> 4) + i) % HOSTILE_KINDS));
		num_fds += fds[num_fds] >= 0;
	}
	if (num_fds > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, num_fds * sizeof(int));
	}
	(void)!sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (num_fds > 0)
		close(fds[--num_fds]);
}

/* Where a worker that goes on does not look for what it might have forgotten. */
static int connect_to(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const bool packets = strcmp(name, "component.socket") == 0;
	int fd = socket(AF_UNIX,
			(packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int high = -1;

	need(fd >= 0, "a socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, (int)daemon_under_test.server.max_fds);
	close(fd);
	return high;
}

static size_t take(struct input *input, void *to, size_t most)
{
	size_t count = next(input);

	count = count < most ? count : most;
	count = count < input->size ? count : input->size;
	memcpy(to, input->data, count);
	input->data += count;
	input->size -= count;
	return count;
}

static void send_bytes(int client, struct input *input)
{
	unsigned char bytes[256];
	const size_t count = take(input, bytes, sizeof(bytes));

	send_with_fds(client, bytes, count, input);
}

/* The version first, if the command is 0. */
static void send_command(int client, struct input *input)
{
	unsigned char message[512] = {0};
	const uint8_t number = next(input);
	const size_t room = sizeof(message) - sizeof(struct vfio_user_header);
	struct vfio_user_header header = {.id = number,
					  .command = (uint16_t)(number % 16),
					  .flags = number & 0x80u ? VFIO_USER_FLAGS_NO_REPLY : 0};

	if (header.command == 0)
		header.command = VFIO_USER_VERSION;
	header.bytes = (uint32_t)(sizeof(header) + take(input, message + sizeof(header), room));
	if (header.command == VFIO_USER_VERSION && header.bytes == sizeof(header))
		header.bytes += (uint32_t)sizeof(struct vfio_user_version);
	memcpy(message, &header, sizeof(header));
	send_with_fds(client, message, header.bytes, input);
}

static void send_request(int client, struct input *input)
{
	static const char *const connections[] = {"bell", "link", "ring", ""};
	const uint8_t how = next(input);
	struct crossvm_component_request request = {.header = {CROSSVM_COMPONENT_MAGIC,
							       CROSSVM_COMPONENT_VERSION,
							       (uint16_t)(1 + how % 3)},
						    .access = how >> 6};

	strcpy(request.connection, connections[how >> 2 & 3]);
	strcpy(request.component, how & 0x10 ? "a" : how & 0x20 ? "b" : "");
	send_with_fds(client, &request,
		      request.header.type == CROSSVM_COMPONENT_EMIT
			      ? sizeof(struct crossvm_component_emit)
			      : sizeof(request),
		      input);
}

/* A few answers; of the descriptors that come with them, eventfds may be spoilt first. */
static void read_answers(int client, struct input *input)
{
	const uint8_t how = next(input);

	for (unsigned int i = 0; i < (how & 7u); i++) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
		char bytes[512];
		struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
		struct msghdr message = {.msg_iov = &iov,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};
		const struct cmsghdr *cmsg;
		int fds[8];
		size_t count;

		if (recvmsg(client, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		cmsg = CMSG_FIRSTHDR(&message);
		count = cmsg == NULL ? 0 : (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count > 0)
			memcpy(fds, CMSG_DATA(cmsg), count * sizeof(int));
		/* Of OPENED, the second is one. */
		if ((how & 0x80u) && count == 2 && client == clients[0]) {
			static const uint64_t much = UINT64_C(0xfffffffffffffff0);

			(void)!write(fds[1], &much, sizeof(much));
			fcntl(fds[1], F_SETFL, 0);
		}
		while (count > 0)
			close(fds[--count]);
	}
}

static void leave(size_t client)
{
	if (clients[client] >= 0)
		close(clients[client]);
	clients[client] = -1;
}

static void act(struct input *input)
{
	const uint8_t what = next(input);
	const size_t client = (what >> 3) % CLIENTS;

	switch (what % WHATS) {
	case CONNECT:
		leave(client);
		clients[client] =
			connect_to(sockets[next(input) % (sizeof(sockets) / sizeof(sockets[0]))]);
		break;
	case SEND:
		send_bytes(clients[client], input);
		break;
	case COMMAND:
		send_command(clients[client], input);
		break;
	case REQUEST:
		send_request(clients[client], input);
		break;
	case READ:
		read_answers(clients[client], input);
		break;
	case LEAVE:
		leave(client);
		break;
	case WORK:
		work(1 + client * client);
		break;
	default:
		go_on((what & 0x80u) != 0);
	}
}

/* What a client is no longer allowed for a while, the next input is. */
static void forgive(struct daemon *daemon)
{
	memset(daemon->clients.state->strikes, 0, sizeof(daemon->clients.state->strikes));
	for (struct crossvm_vm *vm = daemon->host->vms; vm; vm = vm->next)
		memset(&vm->state->strikes, 0, sizeof(vm->state->strikes));
}

/* Everybody has gone: soon there is nothing to do, and nothing left. */
static void come_to_rest(void)
{
	unsigned int quiet = 0;
	size_t count = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		leave(i);
	descriptors_forget();
	for (unsigned int i = 0; quiet < 3; i++) {
		need(i < MAX_TURNS, "no rest");
		quiet = server_turn(&daemon_under_test.server, 0) == 0 ? quiet + 1 : 0;
	}
	for (int i = 0; i < 3 && (count = count_fds()) != initial_fds; i++)
		usleep(TICK_US);
	if (initial_fds == 0) {
		initial_fds = count;
		if (getenv("FUZZ_LIST") != NULL)
			list_fds();
	}
	if (count != initial_fds) {
		fprintf(stderr, "%zu descriptors instead of %zu\n", count, initial_fds);
		list_fds();
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	if (initial_fds == 0) {
		start();
		go_on(false);
		come_to_rest();
	}
	while (input.size > 0)
		act(&input);
	come_to_rest();
	forgive(&daemon_under_test);
	return 0;
}
