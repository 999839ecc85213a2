/* SPDX-License-Identifier: BSD-2-Clause */
/* nng, a pair of sockets over ipc. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include "bench/host/transport.h"

static int prepare(struct link *link)
{
	(void)link;
	return 0;
}

static int join(struct link *link)
{
	nng_socket *socket = calloc(1, sizeof(*socket));
	char address[96];
	int rc;

	if (!socket)
		return -ENOMEM;
	link->state = socket;
	snprintf(address, sizeof(address), "ipc://%s.nng", link->path);
	rc = nng_pair0_open(socket);
	if (!rc)
		rc = nng_setopt_size(*socket, NNG_OPT_RECVMAXSZ, 0);
	if (!rc && link->side)
		rc = nng_dial(*socket, address, NULL, NNG_FLAG_NONBLOCK);
	else if (!rc)
		rc = nng_listen(*socket, address, NULL, 0);
	return rc ? -EIO : 0;
}

static int send(struct link *link, const void *message, unsigned int count)
{
	const nng_socket *socket = link->state;

	for (unsigned int i = 0; i < count; i++) {
		if (nng_send(*socket, (void *)message, link->size, 0))
			return -EIO;
	}
	return 0;
}

static int receive(struct link *link, void *buffer)
{
	const nng_socket *socket = link->state;
	size_t size = link->size;

	return nng_recv(*socket, buffer, &size, 0) ? -EIO : 1;
}

static void leave(struct link *link)
{
	nng_socket *socket = link->state;
	char path[96];

	nng_close(*socket);
	free(socket);
	snprintf(path, sizeof(path), "%s.nng", link->path);
	unlink(path);
}

const struct transport transport_nng = {
	.name = "nng ipc",
	.what = "nng pair0 over ipc",
	.batch = 1,
	.prepare = prepare,
	.join = join,
	.send = send,
	.receive = receive,
	.leave = leave,
};
