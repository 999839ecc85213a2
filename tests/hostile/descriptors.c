/* SPDX-License-Identifier: BSD-2-Clause */
#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LINGER_S     600
#define BACKLOG      4096
#define BUFFER_BYTES 2048
#define HUGE_COUNT   UINT64_C(0xfffffffffffffff0)

static const char *const names[HOSTILE_KINDS] = {
	[HOSTILE_EVENTFD] = "eventfd",
	[HOSTILE_SEMAPHORE] = "eventfd of semaphore mode",
	[HOSTILE_FULL] = "full eventfd that blocks",
	[HOSTILE_EPOLL] = "epoll",
	[HOSTILE_PIPE] = "pipe",
	[HOSTILE_FULL_PIPE] = "full pipe that blocks",
	[HOSTILE_UNIX] = "AF_UNIX socket",
	[HOSTILE_TCP] = "TCP socket that lingers",
	[HOSTILE_FUSE] = "FUSE file",
	[HOSTILE_MEMFD] = "memfd",
	[HOSTILE_NULL] = "/dev/null",
	[HOSTILE_OURS] = "socket of crossvmd",
};

static int listener = -1; /* of all TCP sockets; accepts none */
static int readable = -1; /* in all epoll sets */
static int full_pipe = -1;

const char *hostile_name(enum hostile_kind kind)
{
	return names[kind];
}

void descriptors_forget(void)
{
	int fd;

	/* What has not been read goes with each, so that its peer gets a reset. */
	while (listener >= 0 && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

void descriptor_fill(int event_fd)
{
	static const uint64_t full = UINT64_C(0xfffffffffffffffe);
	uint64_t count;

	fcntl(event_fd, F_SETFL, O_NONBLOCK);
	if (read(event_fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(event_fd, &full, sizeof(full)), sizeof(full));
	fcntl(event_fd, F_SETFL, 0);
}

static int make_full(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd >= 0)
		descriptor_fill(fd);
	return fd;
}

static int make_semaphore(void)
{
	static const uint64_t count = HUGE_COUNT;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);

	if (fd >= 0)
		assert_int_equal(write(fd, &count, sizeof(count)), sizeof(count));
	return fd;
}

/* In it is an eventfd that is readable, so that it is readable itself. */
static int make_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (readable < 0)
		readable = eventfd(1, EFD_CLOEXEC);
	if (fd >= 0)
		assert_return_code(epoll_ctl(fd, EPOLL_CTL_ADD, readable, &event), errno);
	return fd;
}

static int make_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	assert_int_equal(write(fds[1], "", 1), 1);
	close(fds[1]);
	return fds[0];
}

/* All are one. Without its reading end, which stays open, a write would fail instead of waiting. */
static int make_full_pipe(void)
{
	static const char bytes[4096];
	int fds[2];

	if (full_pipe < 0) {
		if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
			return -1;
		full_pipe = fds[1];
		while (write(full_pipe, bytes, sizeof(bytes)) > 0)
			;
	}
	fcntl(full_pipe, F_SETFL, 0);
	return fcntl(full_pipe, F_DUPFD_CLOEXEC, 0);
}

static int make_unix(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	close(fds[1]);
	return fds[0];
}

static void listen_for_tcp(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int small = BUFFER_BYTES;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(listener >= 0);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, BACKLOG), 0);
}

static void interrupt(int signal)
{
	(void)signal; /* that the system call returns is all it is for */
}

void descriptor_close(int fd)
{
	const struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
	const struct itimerval soon = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
	const struct itimerval never = {0};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	close(fd);
	setitimer(ITIMER_REAL, &never, NULL);
}

static int make_tcp(void)
{
	static const char bytes[BUFFER_BYTES];
	const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	const int small = BUFFER_BYTES;
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd;

	if (listener < 0)
		listen_for_tcp();
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) != 0 ||
	    connect(fd, (struct sockaddr *)&address, length) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0) {
		close(fd);
		return -1;
	}
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	return fd;
}

int descriptor_make(enum hostile_kind kind)
{
	switch (kind) {
	case HOSTILE_EVENTFD:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case HOSTILE_SEMAPHORE:
		return make_semaphore();
	case HOSTILE_FULL:
		return make_full();
	case HOSTILE_EPOLL:
		return make_epoll();
	case HOSTILE_PIPE:
		return make_pipe();
	case HOSTILE_FULL_PIPE:
		return make_full_pipe();
	case HOSTILE_UNIX:
		return make_unix();
	case HOSTILE_TCP:
		return make_tcp();
	case HOSTILE_MEMFD:
		return memfd_create("hostile", MFD_CLOEXEC);
	case HOSTILE_NULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	default:
		errno = EINVAL;
		return -1;
	}
}
