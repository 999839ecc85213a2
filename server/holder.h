/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of a program that serves: the holder, which is the process that calls holder_run(), and
 * what it clones: the worker and the closers. All share one descriptor table.
 *
 * The holder reads nothing that a client sent, follows no reference out of memory that a worker can
 * write, and does no more than wait: for the end of one of its processes, for a signal, for a worker or
 * a closer that stands still.
 *
 * Signals: SIGTERM and SIGINT, to the holder only, stop the program in good order: the worker takes
 * leave of everybody and ends, or is killed if that takes more than HOLDER_LEAVE_MS. If the holder is
 * killed, the worker does the same. A worker ignores these signals from anybody else.
 */
#ifndef CROSSVM_SERVER_HOLDER_H
#define CROSSVM_SERVER_HOLDER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "server/server.h"

#define HOLDER_LEAVE_MS 5000

enum holder_role {
	HOLDER_WORKER,
	HOLDER_CLOSER,
};

/* What the program brings. context goes to each function. */
struct holder_program {
	const char *name; /* of processes: NAME:worker, NAME:closer; 15 bytes at most */
	/*
	 * In a new process: give up what it does not need. A closer opens nothing, nor does the holder
	 * from server_seal() on: a worker that begins would take it for nobody's, and have it closed.
	 *
	 * @return 0 or -errno.
	 */
	int (*enter)(void *context, enum holder_role role);
	/*
	 * In a new worker: server_renew() and all that follows. It may fail for want of memory or
	 * descriptors: then it is tried again a little later, in another worker.
	 */
	int (*begin)(void *context, bool crashed);
	/* In the worker, at the end: take leave of everybody. */
	void (*take_leave)(void *context);
	/* In the holder. */
	void (*started)(void *context);                       /* the first worker runs */
	void (*alive)(void *context);                         /* every alive_ms; NULL: not */
	void (*stopping)(void *context, const siginfo_t *by); /* NULL: nobody asked for it */
	/* Who sent a descriptor, and whose wire stands at an offset in the arena, for a message. */
	void (*name_owner)(void *context, uint64_t owner, char *text, size_t bytes);
	void (*name_wire)(void *context, uint64_t offset, char *text, size_t bytes);
	void *context;
	unsigned int alive_ms;     /* 0: never */
	unsigned int busy_poll_us; /* how long the worker looks for more before it sleeps */
};

/* Block the signals that holder_run() waits for, so that none is missed from here on. */
void holder_block_signals(void);

/* Make what holder_run() needs, before server_seal(). @return 0 or -errno. */
int holder_prepare(struct server *server);

/*
 * Serve until told to stop. When it returns, the worker has ended, and closers too but for those that
 * stand still: these end by themselves, whenever that is.
 *
 * @return 0, or -errno after a message.
 */
int holder_run(struct server *server, const struct holder_program *program);

#endif
