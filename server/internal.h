/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of server/ share. */
#ifndef CROSSVM_SERVER_INTERNAL_H
#define CROSSVM_SERVER_INTERNAL_H

#include "server/server.h"

struct server_state {
	/* Descriptors of the worker itself, which are of no use to another. -1: none */
	_Atomic int epoll;
	_Atomic int descriptors;
	struct log_limit guard_limit;
	_Atomic uint64_t turns; /* grows while workers get anything done */
	/* Whose message is being applied, or was when a worker died: offset of its wire; 0: none. */
	_Atomic uint64_t serving;
	/* The message at which workers crashed, and how many did in a row. */
	uint64_t crash_wire;
	uint64_t crash_message;
	uint32_t crashes;
};

/* acceptor.c: watch again. */
void acceptors_renew(struct server *server);
/* Give it a socket that was accepted by a process which died before it could say so. */
bool acceptors_adopt(struct server *server, int fd);

#endif
