/* SPDX-License-Identifier: BSD-2-Clause */
/* What any local user can do at the component socket. */
#include "attack.h"

#include <poll.h>
#include <sys/socket.h>

#define BATCH   64u
#define LISTERS 16u
#define WAIT_MS 100

/* Events, as fast as they can be sent. */

static void *prepare_emits(const struct daemon *daemon)
{
	struct component *bad = attack_memory(sizeof(*bad));

	*bad = component_open(daemon, "bell", "bad", 0);
	return bad;
}

static void emit(const struct daemon *daemon, void *context)
{
	struct crossvm_component_emit message = {.header = {CROSSVM_COMPONENT_MAGIC,
							    CROSSVM_COMPONENT_VERSION,
							    CROSSVM_COMPONENT_EMIT}};
	struct iovec iov = {&message, sizeof(message)};
	struct mmsghdr messages[BATCH];
	const struct component *bad = context;

	(void)daemon;
	for (unsigned int i = 0; i < BATCH; i++)
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	assert_true(sendmmsg(bad->socket, messages, BATCH, MSG_NOSIGNAL) > 0);
}

const struct attack attack_component_emits = {"component-emits", USER_COMPONENT, false,
					      prepare_emits, emit};

/* The list of all connections, again and again. The user is that of all VMs. */

static void *prepare_lists(const struct daemon *daemon)
{
	struct pollfd *sockets = attack_memory(LISTERS * sizeof(*sockets));

	for (unsigned int i = 0; i < LISTERS; i++)
		sockets[i] = (struct pollfd){.fd = component_connect(daemon),
					     .events = POLLIN | POLLOUT};
	return sockets;
}

static void list(const struct daemon *daemon, void *context)
{
	static const struct crossvm_component_request request = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION,
			   CROSSVM_COMPONENT_LIST}};
	struct pollfd *sockets = context;
	struct crossvm_component_entry entry;

	(void)daemon;
	poll(sockets, LISTERS, WAIT_MS);
	for (unsigned int i = 0; i < LISTERS; i++) {
		ssize_t bytes = 1;

		while (sockets[i].revents & POLLIN && bytes > 0)
			bytes = recv(sockets[i].fd, &entry, sizeof(entry), MSG_DONTWAIT);
		assert_true(bytes != 0);
		while (send(sockets[i].fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) >
		       0)
			;
	}
}

const struct attack attack_lists = {"lists", 0, false, prepare_lists, list};

/* Connections that are closed at once. */

static void *prepare_nothing(const struct daemon *daemon)
{
	return (void *)daemon;
}

static void connect_and_close(const struct daemon *daemon, void *context)
{
	const int fd = hostile_connect(daemon, CROSSVM_COMPONENT_SOCKET_NAME, SOCK_SEQPACKET);

	(void)context;
	if (fd >= 0)
		close(fd);
}

const struct attack attack_stranger_connects = {"stranger-connects", USER_STRANGER, false,
						prepare_nothing, connect_and_close};
const struct attack attack_component_connects = {"component-connects", USER_COMPONENT, false,
						 prepare_nothing, connect_and_close};

/* No client at all. */

static void sleep_on(const struct daemon *daemon, void *context)
{
	(void)daemon;
	(void)context;
	pause();
}

const struct attack attack_nobody = {"nobody", 0, false, prepare_nothing, sleep_on};
