/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab/loop.h"

/* Enough for every VM that a machine can run, started again now and then. */
#define MAX_WARDS 512
#define GRACE_MS  3000

struct wards {
	int fds[MAX_WARDS];
	size_t count;
};

static bool has_ended(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) != 0;
}

/* Forget those that have ended. */
static void tidy(struct wards *wards)
{
	size_t kept = 0;

	for (size_t i = 0; i < wards->count; i++) {
		if (has_ended(wards->fds[i]))
			close(wards->fds[i]);
		else
			wards->fds[kept++] = wards->fds[i];
	}
	wards->count = kept;
}

static void signal_all(const struct wards *wards, int signal_number)
{
	for (size_t i = 0; i < wards->count; i++)
		(void)syscall(SYS_pidfd_send_signal, wards->fds[i], signal_number, NULL, 0);
}

static void wait_for_all(struct wards *wards, int64_t ms)
{
	int64_t end = lab_now_ms() + ms;

	for (tidy(wards); wards->count > 0 && lab_now_ms() < end; tidy(wards)) {
		struct pollfd first = {.fd = wards->fds[0], .events = POLLIN};

		(void)poll(&first, 1, 100);
	}
}

static void add_ward(struct wards *wards, int fd)
{
	if (wards->count == MAX_WARDS)
		tidy(wards);
	if (wards->count == MAX_WARDS)
		close(fd);
	else
		wards->fds[wards->count++] = fd;
}

/* @return whether the keeper is still there. */
static bool receive_ward(int fd, struct wards *wards)
{
	char byte;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		int ward;

		memcpy(&ward, CMSG_DATA(header), sizeof(ward));
		add_ward(wards, ward);
	}
	return true;
}

static void keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 3)
		(void)syscall(SYS_close_range, 3u, (unsigned int)low - 1, 0);
	if (high > low + 1)
		(void)syscall(SYS_close_range, (unsigned int)low + 1, (unsigned int)high - 1, 0);
	(void)syscall(SYS_close_range, (unsigned int)high + 1, ~0u, 0);
}

static void run(int fd, struct lab_rundir *rundir, const char *images)
{
	static struct wards wards;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	/* What ends the keeper politely must not end who cleans up behind it. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "crossvm-guard");
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	keep_only(fd, rundir->lock_fd);
	while (receive_ward(fd, &wards))
		;
	signal_all(&wards, SIGTERM);
	wait_for_all(&wards, GRACE_MS);
	signal_all(&wards, SIGKILL);
	wait_for_all(&wards, GRACE_MS);
	lab_remove_tree(images);
	lab_rundir_remove(rundir);
	_exit(0);
}

int lab_guard_start(struct lab_guard *guard, struct lab_rundir *rundir, const char *images)
{
	int fds[2], error = 0;

	*guard = (struct lab_guard){.process.pidfd = -1, .fd = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	guard->process.pid = fork();
	if (guard->process.pid == 0)
		run(fds[1], rundir, images);
	if (guard->process.pid < 0)
		error = -errno;
	close(fds[1]);
	guard->fd = fds[0];
	if (error) {
		guard->process.pid = 0;
		close(guard->fd);
		return error;
	}
	guard->process.pidfd = (int)syscall(SYS_pidfd_open, guard->process.pid, 0);
	return guard->process.pidfd < 0 ? -errno : 0;
}

int lab_guard_add(struct lab_guard *guard, const struct lab_process *process)
{
	char byte = 0;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
				   .cmsg_type = SCM_RIGHTS,
				   .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(header), &process->pidfd, sizeof(int));
	return sendmsg(guard->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
