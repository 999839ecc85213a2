/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A toy protocol for the tests of server/wire.h: a message is its size in 32 bits, then that many bytes less
 * four. And a struct wire between two sockets in shared memory.
 */
#ifndef CROSSVM_TESTS_SERVER_WORDS_H
#define CROSSVM_TESTS_SERVER_WORDS_H

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/wire.h"

static inline ssize_t words_size(const unsigned char *bytes, size_t available)
{
	uint32_t size;

	if (available < sizeof(size))
		return 0;
	memcpy(&size, bytes, sizeof(size));
	return size < sizeof(size) ? -EPROTO : (ssize_t)size;
}

/* Send bytes and, unless it is -1, a descriptor with them. */
static inline ssize_t words_send(int socket, const void *bytes, size_t count, int fd)
{
	alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {0};
	unsigned char copy[3 * WIRE_MESSAGE_BYTES];
	struct iovec iov = {.iov_base = copy, .iov_len = count};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	assert(count <= sizeof(copy));
	memcpy(copy, bytes, count);
	if (fd >= 0) {
		struct cmsghdr *cmsg = (void *)control;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

/* Nobody but the test closes: at once. */
static const struct wire_owner words_owner = {.closing = NULL};

struct words {
	struct wire *wire; /* in shared memory */
	int client;
};

static inline struct words words_start(enum wire_kind kind)
{
	struct words words;
	int pair[2];

	words.wire = mmap(NULL, sizeof(struct wire), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(words.wire != MAP_FAILED);
	if (socketpair(AF_UNIX, kind == WIRE_STREAM ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair))
		assert(false);
	wire_init(words.wire);
	wire_open(words.wire, pair[0], kind);
	words.client = pair[1];
	return words;
}

static inline void words_end(struct words *words)
{
	wire_close(words->wire, &words_owner);
	munmap(words->wire, sizeof(*words->wire));
	if (words->client >= 0)
		close(words->client);
}

#endif
