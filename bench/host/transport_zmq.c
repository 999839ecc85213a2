/* SPDX-License-Identifier: BSD-2-Clause */
/* ZeroMQ, a pair of sockets over ipc. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zmq.h>

#include "bench/host/transport.h"

struct state {
	void *context;
	void *socket;
};

static int prepare(struct link *link)
{
	(void)link;
	return 0;
}

static int join(struct link *link)
{
	struct state *state = calloc(1, sizeof(*state));
	char address[96];
	int rc;

	if (!state)
		return -ENOMEM;
	link->state = state;
	snprintf(address, sizeof(address), "ipc://%s.zmq", link->path);
	state->context = zmq_ctx_new();
	state->socket = zmq_socket(state->context, ZMQ_PAIR);
	rc = link->side ? zmq_connect(state->socket, address) : zmq_bind(state->socket, address);
	return rc ? -errno : 0;
}

static int send(struct link *link, const void *message, unsigned int count)
{
	struct state *state = link->state;

	for (unsigned int i = 0; i < count; i++) {
		if (zmq_send(state->socket, message, link->size, 0) < 0)
			return -errno;
	}
	return 0;
}

static int receive(struct link *link, void *buffer)
{
	struct state *state = link->state;

	return zmq_recv(state->socket, buffer, link->size, 0) < 0 ? -errno : 1;
}

static void leave(struct link *link)
{
	struct state *state = link->state;
	char path[96];

	zmq_close(state->socket);
	zmq_ctx_term(state->context);
	free(state);
	snprintf(path, sizeof(path), "%s.zmq", link->path);
	unlink(path);
}

const struct transport transport_zmq = {
	.name = "ZeroMQ ipc",
	.what = "ZeroMQ PAIR over ipc",
	.batch = 1,
	.prepare = prepare,
	.join = join,
	.send = send,
	.receive = receive,
	.leave = leave,
};
