/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel offers: pipes, Unix sockets, POSIX message queues. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/host/transport.h"

/* fd[side]: to read from; fd[2 + side]: to write to. */
static int write_all(int fd, const void *data, size_t size)
{
	const char *from = data;

	while (size) {
		ssize_t n = write(fd, from, size);

		if (n < 0)
			return -errno;
		from += n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t size)
{
	char *to = data;

	while (size) {
		ssize_t n = read(fd, to, size);

		if (n <= 0)
			return n ? -errno : -EPIPE;
		to += n;
		size -= (size_t)n;
	}
	return 1;
}

static int bytes_send(struct link *link, const void *message, unsigned int count)
{
	int rc = 0;

	for (unsigned int i = 0; i < count && !rc; i++)
		rc = write_all(link->fd[2 + link->side], message, link->size);
	return rc;
}

static int bytes_receive(struct link *link, void *buffer)
{
	return read_all(link->fd[link->side], buffer, link->size);
}

static int nothing_to_join(struct link *link)
{
	(void)link;
	return 0;
}

static void close_all(struct link *link)
{
	for (int i = 0; i < 4; i++)
		close(link->fd[i]);
}

static int pipe_prepare(struct link *link)
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		return -errno;
	link->fd[0] = back[0];
	link->fd[1] = there[0];
	link->fd[2] = there[1];
	link->fd[3] = back[1];
	return 0;
}

/* Room for one message at least, which for large packets only root may ask for. */
static int socket_prepare(struct link *link, int type)
{
	int pair[2];
	int bytes = (int)(link->size * 2 + 4096);

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
		return -errno;
	for (int i = 0; i < 2; i++) {
		link->fd[i] = pair[i];
		link->fd[2 + i] = dup(pair[i]);
		if (type == SOCK_SEQPACKET && link->size > 65536)
			(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
					 sizeof(bytes));
	}
	if (type == SOCK_SEQPACKET && link->size > 65536) {
		socklen_t length = sizeof(bytes);

		getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, &length);
		if ((size_t)bytes < link->size * 2) {
			close_all(link);
			return -EMSGSIZE;
		}
	}
	return 0;
}

static int stream_prepare(struct link *link)
{
	return socket_prepare(link, SOCK_STREAM);
}

static int seqpacket_prepare(struct link *link)
{
	return socket_prepare(link, SOCK_SEQPACKET);
}

const struct transport transport_pipe = {
	.name = "pipe",
	.what = "pipe(2)",
	.batch = 1,
	.prepare = pipe_prepare,
	.join = nothing_to_join,
	.send = bytes_send,
	.receive = bytes_receive,
	.leave = close_all,
};

const struct transport transport_stream = {
	.name = "unix stream",
	.what = "Unix stream socket",
	.batch = 1,
	.prepare = stream_prepare,
	.join = nothing_to_join,
	.send = bytes_send,
	.receive = bytes_receive,
	.leave = close_all,
};

const struct transport transport_seqpacket = {
	.name = "unix seqpacket",
	.what = "Unix seqpacket socket",
	.batch = 1,
	.prepare = seqpacket_prepare,
	.join = nothing_to_join,
	.send = bytes_send,
	.receive = bytes_receive,
	.leave = close_all,
};

static int mqueue_open(struct link *link, const char *direction)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = (long)link->size};
	char name[sizeof(link->path) + 8];
	int n = 0;
	mqd_t queue;

	name[n++] = '/';
	for (const char *c = link->path; *c; c++) {
		if (*c != '/')
			name[n++] = *c;
	}
	name[n++] = direction[0];
	name[n] = 0;
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (queue < 0)
		return -errno;
	mq_unlink(name);
	return queue;
}

static int mqueue_prepare(struct link *link)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	int there, back;

	/* Large messages need root here, too. */
	(void)setrlimit(RLIMIT_MSGQUEUE, &limit);
	there = mqueue_open(link, "a");
	if (there < 0)
		return there;
	back = mqueue_open(link, "b");
	if (back < 0) {
		close(there);
		return back;
	}
	link->fd[0] = back;
	link->fd[1] = there;
	link->fd[2] = dup(there);
	link->fd[3] = dup(back);
	return 0;
}

static int mqueue_send(struct link *link, const void *message, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (mq_send(link->fd[2 + link->side], message, link->size, 0))
			return -errno;
	}
	return 0;
}

static int mqueue_receive(struct link *link, void *buffer)
{
	return mq_receive(link->fd[link->side], buffer, link->size, NULL) < 0 ? -errno : 1;
}

const struct transport transport_mqueue = {
	.name = "POSIX mq",
	.what = "POSIX message queue, 10 messages deep",
	.batch = 1,
	.prepare = mqueue_prepare,
	.join = nothing_to_join,
	.send = mqueue_send,
	.receive = mqueue_receive,
	.leave = close_all,
};
