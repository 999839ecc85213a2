/* SPDX-License-Identifier: BSD-2-Clause */
/* What the holder clones. */
#ifndef CROSSVM_SERVER_PROCESSES_H
#define CROSSVM_SERVER_PROCESSES_H

#include "server/holder.h"

enum worker_end {
	WORKER_STOPPED = 0, /* it has taken leave */
	WORKER_UNABLE = 3,  /* it could not begin, or not go on */
};

/*
 * Clone a process that shares the descriptor table with this one.
 *
 * @crashed: the worker before died of itself. @leave: take leave at once.
 * @return its process id, or -errno.
 */
pid_t worker_start(struct server *server, const struct holder_program *program, bool crashed,
		   bool leave);
pid_t closer_start(struct server *server, const struct holder_program *program,
		   unsigned int closer);

/*
 * The worker's tick, SIGALRM ten times a second while it is busy. It has no effect but that a system
 * call which waits returns EINTR: a write that a client has made wait. A worker that sleeps has none.
 *
 * With each tick the worker also puts off a timer of the holder's, which therefore expires only if the
 * worker stands still.
 */
int ticks_prepare(void); /* in the worker: the handler. @return 0 or -errno */
void ticks_start(const struct server *server);
void ticks_stop(const struct server *server);
void ticks_note(const struct server *server); /* at each turn */

#endif
