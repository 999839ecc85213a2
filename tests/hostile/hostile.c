/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostile.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "descriptors.h"

#define PATIENCE_MS 60000
/*
 * QEMU waits 5 s for an answer, and gives up for good. Who is not held up answers in a millisecond;
 * some more is for a machine that does much else.
 */
#define QEMU_PATIENCE_MS 20000
#define ROUNDS           200
#define ROUND_US         500
#define FULL_QUEUE_MS    200
#define ATTEMPTS         3
#define ATTEMPT_MS       100
#define MAX_USERS        64u
#define MAX_FDS          253u /* of a message, as the kernel has it */

static struct fuse_file fuse;
static pid_t users[MAX_USERS];
static size_t num_users;

int hostile_setup(void **state)
{
	/* What the daemon leaves behind becomes ours, so that teardown can wait for it. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return -1;
	return daemon_setup(state);
}

void hostile_end_users(void)
{
	for (size_t i = 0; i < num_users; i++)
		kill(users[i], SIGKILL);
	/* They may have the file open. */
	if (fuse.server > 0)
		fuse_answer(&fuse);
	for (size_t i = 0; i < num_users; i++)
		waitpid(users[i], NULL, 0);
	num_users = 0;
}

/* Whatever the daemon has started must have ended, now that nothing is in the way. */
static int wait_for_the_rest(void)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return 0;
		if (pid == 0)
			usleep(1000);
	}
	fprintf(stderr, "a process that crossvmd has started does not end\n");
	return -1;
}

/* The holder first by good words; what it has started ends with it. */
static void end_daemon(struct daemon *daemon)
{
	if (daemon->pid <= 0)
		return;
	kill(daemon->pid, SIGCONT);
	kill(daemon->pid, SIGTERM);
	for (int i = 0; i < PATIENCE_MS / 4; i++) {
		if (waitpid(daemon->pid, NULL, WNOHANG) == daemon->pid) {
			daemon->pid = 0;
			return;
		}
		usleep(1000);
	}
	kill(daemon->pid, SIGKILL);
	waitpid(daemon->pid, NULL, 0);
	daemon->pid = 0;
}

int hostile_teardown(void **state)
{
	int result;

	hostile_end_users();
	fuse_close(&fuse);
	descriptors_forget();
	end_daemon(*state);
	result = wait_for_the_rest();
	return daemon_teardown(state) != 0 ? -1 : result;
}

struct fuse_file *hostile_fuse(void)
{
	return &fuse;
}

int hostile_make(const struct daemon *daemon, enum hostile_kind kind)
{
	int fd;

	if (kind == HOSTILE_FUSE) {
		if (fuse.server == 0)
			fuse_open(&fuse, daemon->dir);
		return fuse.fd;
	}
	fd = kind == HOSTILE_OURS ? component_connect(daemon) : descriptor_make(kind);
	if (fd < 0)
		fail_msg("no descriptor of the kind %s: %s", hostile_name(kind), strerror(errno));
	return fd;
}

void hostile_drop(enum hostile_kind kind, int fd)
{
	if (kind == HOSTILE_TCP)
		descriptor_close(fd);
	else if (kind != HOSTILE_FUSE)
		close(fd);
}

int hostile_send(int fd, const void *data, size_t bytes, const int *fds, size_t num_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = bytes};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;

	assert_true(num_fds <= MAX_FDS);
	if (num_fds > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, num_fds * sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

int hostile_command(int fd, uint16_t command, uint32_t flags, const void *payload, size_t bytes,
		    const int *fds, size_t num_fds)
{
	unsigned char message[512];
	const struct vfio_user_header header = {.id = command,
						.command = command,
						.bytes = (uint32_t)(sizeof(header) + bytes),
						.flags = flags};

	assert_true(header.bytes <= sizeof(message));
	memcpy(message, &header, sizeof(header));
	if (bytes > 0)
		memcpy(message + sizeof(header), payload, bytes);
	return hostile_send(fd, message, header.bytes, fds, num_fds);
}

int hostile_connect(const struct daemon *daemon, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", daemon->sockets, name);
	for (int i = 0; i < FULL_QUEUE_MS; i++) {
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
			fcntl(fd, F_SETFL, 0);
			return fd;
		}
		assert_int_equal(errno, EAGAIN);
		usleep(1000);
	}
	close(fd);
	return -1;
}

static bool agree(int fd, int patience_ms)
{
	const struct vfio_user_version version = {VFIO_USER_MAJOR, VFIO_USER_MINOR};
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char answer[4096];

	hostile_command(fd, VFIO_USER_VERSION, 0, &version, sizeof(version), NULL, 0);
	return poll(&ready, 1, patience_ms) == 1 && recv(fd, answer, sizeof(answer), 0) > 0;
}

bool hostile_agree(int fd)
{
	return agree(fd, PATIENCE_MS);
}

int hostile_qemu(const struct daemon *daemon, const char *name)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = hostile_connect(daemon, name, SOCK_STREAM);

		if (fd >= 0 && agree(fd, ATTEMPT_MS))
			return fd;
		/* The one before is not gone yet, or the daemon has had enough of them. */
		close(fd);
		usleep(1000);
	}
	return -1;
}

void hostile_wait_end(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char rest[4096];

	do
		assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	while (recv(fd, rest, sizeof(rest), 0) > 0);
}

void hostile_expect_answers(struct vm *vm)
{
	const struct vfio_user_access access = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						.region = VFIO_PCI_BAR0_REGION_INDEX,
						.count = 4};
	struct pollfd ready = {.fd = vm->events, .events = POLLIN};
	char answer[sizeof(struct vfio_user_header) + sizeof(access) + 4];

	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(hostile_command(vm->events, VFIO_USER_REGION_READ, 0, &access,
						 sizeof(access), NULL, 0),
				 0);
		if (poll(&ready, 1, QEMU_PATIENCE_MS) != 1)
			fail_msg("a VM's read was not answered for %d s; QEMU has given up by now",
				 QEMU_PATIENCE_MS / 1000);
		assert_int_equal(recv(vm->events, answer, sizeof(answer), MSG_WAITALL),
				 sizeof(answer));
		usleep(ROUND_US);
	}
}

void hostile_note_child(pid_t child)
{
	assert_true(num_users < MAX_USERS);
	users[num_users++] = child;
}

void hostile_as_user(uid_t user, void (*function)(const struct daemon *daemon),
		     const struct daemon *daemon)
{
	int done[2];
	char byte = 0;
	pid_t child;

	if (geteuid() != 0)
		fail_msg("%s", "this test is of several users: it needs root");
	assert_true(num_users < MAX_USERS);
	assert_int_equal(pipe(done), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setvbuf(stdout, NULL, _IONBF, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* An assertion must not unwind into the parent's test. */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		fuse_forget(&fuse);
		close(done[0]);
		assert_return_code(setgroups(0, NULL), errno);
		assert_return_code(setresgid(user, user, user), errno);
		assert_return_code(setresuid(user, user, user), errno);
		function(daemon);
		fflush(stdout);
		assert_int_equal(write(done[1], &byte, 1), 1);
		close(done[1]);
		for (;;)
			pause();
	}
	hostile_note_child(child);
	close(done[1]);
	assert_int_equal(read(done[0], &byte, 1), 1);
	close(done[0]);
}

int hostile_wait_exit(struct daemon *daemon)
{
	int status;

	for (int i = 0; i < PATIENCE_MS; i++) {
		if (waitpid(daemon->pid, &status, WNOHANG) == daemon->pid) {
			daemon->pid = 0;
			assert_true(WIFEXITED(status));
			return WEXITSTATUS(status);
		}
		usleep(1000);
	}
	fail_msg("%s", "crossvmd does not end");
	return -1;
}

const char *hostile_end_of_log(const struct daemon *daemon)
{
	static char end[512];
	char *log = daemon_log(daemon);
	const char *report = strstr(log, "ERROR: AddressSanitizer");
	size_t length = strlen(log);

	if (report == NULL)
		report = log + (length < sizeof(end) ? 0 : length - sizeof(end) + 1);
	snprintf(end, sizeof(end), "%s", report);
	free(log);
	return end;
}

void hostile_stop(struct daemon *daemon)
{
	hostile_stop_by(daemon, SIGTERM);
}

void hostile_stop_by(struct daemon *daemon, int signal)
{
	int status;

	assert_return_code(kill(daemon->pid, signal), errno);
	status = hostile_wait_exit(daemon);
	if (status != 0)
		fail_msg("crossvmd ended with status %d: %s", status, hostile_end_of_log(daemon));
}

void hostile_pause(const struct daemon *daemon, bool paused)
{
	assert_return_code(kill(daemon_worker(daemon), paused ? SIGSTOP : SIGCONT), errno);
}

size_t hostile_count_fds(const struct daemon *daemon)
{
	char path[64];
	size_t count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon->pid);
	directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 2; /* . and .. */
}

void hostile_wait_fds(const struct daemon *daemon, size_t count)
{
	size_t now = 0;

	for (int i = 0; i < PATIENCE_MS && (now = hostile_count_fds(daemon)) != count; i++)
		usleep(1000);
	assert_int_equal(now, count);
}
