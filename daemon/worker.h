/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that speaks the protocols. It may be killed at any instant; another one carries on. */
#ifndef CROSSVM_DAEMON_WORKER_H
#define CROSSVM_DAEMON_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/sandbox.h"
#include "daemon/server.h"

enum worker_end {
	WORKER_STOPPED = 0, /* it was told to */
	WORKER_UNABLE = 3,  /* after a message; another one would be no better */
};

/*
 * Clone a worker that shares the descriptor table with this process.
 *
 * @crashed: the one before died of itself.
 * @return its process id, or -errno.
 */
pid_t worker_start(struct server *server, struct sandbox *sandbox, bool crashed);

#endif
