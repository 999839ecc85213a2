/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Closing descriptors that others have a part in.
 *
 * To close a descriptor, or to drop the last reference to what it stands for, runs code that its sender
 * has chosen: a FUSE server answers when it likes, a TCP socket lingers, a socket's queue holds more
 * descriptors. Whoever closes waits for that. So the worker never closes; another process that shares
 * the descriptor table does, the closer.
 *
 *	worker	marks a descriptor, and forgets it
 *	closer	puts a tombstone in its place (dup3), which drops what was there; this may wait
 *	worker	closes the tombstone, so that the number can be used again
 *
 * Each step can be repeated by another process if one is killed, and no number is used again before
 * its tombstone is closed. A closer that waits is left waiting, and the holder starts another one; one
 * owner can keep CLOSERS_PER_OWNER waiting, what else it sent then stays open until one of them is
 * through.
 *
 * The marks stand in the arena, one for each descriptor number. Without closers (a program that has
 * no holder) the process closes by itself, at the end of its turn.
 *
 * Thread-safety: closing_add(), _take(), _flush(), _reap(), _renew() and _resume() are the worker's alone, one
 * process at a time. closing_work() is for closers, any number of them.
 */
#ifndef CROSSVM_SERVER_CLOSING_H
#define CROSSVM_SERVER_CLOSING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/arena.h"

#define CLOSERS           48u
#define CLOSERS_PER_OWNER 3u

/* Who sent a descriptor: a number that the program gives to each client that it tells apart. */
#define CLOSING_OWNER_UNKNOWN UINT64_MAX

/* Descriptors that may wait to be closed, in all; so many are to be allowed beside those in use. */
#define CLOSING_RESERVE 1024u

struct closing_state; /* in the arena */

/* Private memory, constant but for what is said to change. */
struct closing {
	struct closing_state *state;
	bool closers; /* there are closers: this process does not close */
	int work;     /* eventfd: there is something to close */
	int done;     /* eventfd: there are tombstones */
	int timer;    /* timerfd of the holder, which looks after closers when it expires */
	int tombstone;
	bool marked; /* changes: in this turn something was */
};

/* Before closing_create() and after closing_destroy(), which may be called on it. */
extern const struct closing closing_none;

/* What it takes of the arena. */
size_t closing_bytes(size_t max_fds);

/*
 * @max_fds: numbers below this can be closed.
 * @return 0 or -errno; closing_destroy() is fine in both cases.
 */
int closing_create(struct closing *closing, struct arena *arena, size_t max_fds);
void closing_destroy(struct closing *closing);

/* Have a descriptor closed. */
void closing_add(struct closing *closing, int fd, uint64_t owner);
/*
 * The same for one that stands in a slot of the arena, from which it is taken (-1 afterwards). Does
 * nothing if the slot is -1. NULL for closing: closes at once.
 */
void closing_take(struct closing *closing, int *slot, uint64_t owner);
/*
 * The same for a connected socket that is ours and was shut down. What it has received is thrown away
 * first, so that the other end can still read what was sent to it.
 */
void closing_take_socket(struct closing *closing, int *slot, uint64_t owner);

/* At the end of a turn: let the closers know. @return whether, without closers, any was closed. */
bool closing_flush(struct closing *closing);
/* closing->done is readable: close tombstones. @return how many were. */
unsigned int closing_reap(struct closing *closing);

/*
 * A process goes on after another one. Before it opens any descriptor, closing_renew(): the process
 * before may have died between closing one and noting that, so its number is kept from being used. Then
 * each slot in the arena that may hold a descriptor is asked after with closing_forget(), since the
 * process before may have died between marking it and forgetting it; then closing_resume().
 *
 * @return 0 or -errno.
 */
int closing_renew(const struct closing *closing);
void closing_forget(const struct closing *closing, int *slot);
void closing_resume(struct closing *closing);

/* Whether the descriptor is marked, or its tombstone still open. */
bool closing_has(const struct closing *closing, int fd);

/* How many descriptors wait to be closed, in all and of one owner. The first is quick. */
unsigned int closing_pending(const struct closing *closing);
unsigned int closing_pending_of(const struct closing *closing, uint64_t owner);

/*
 * Whether a message with as many descriptors as there can be may be received from an owner now.
 * It may not while what it sent before keeps closers waiting and fills the reserve.
 */
bool closing_has_room(const struct closing *closing, uint64_t owner);

/* For a closer, of that number below CLOSERS: close until there is nothing to do, again and again. */
void closing_work(struct closing *closing, unsigned int number);

/* For the holder. */

/* The closer of that number runs, or has ended. */
void closing_started(struct closing *closing, unsigned int number);
void closing_ended(struct closing *closing, unsigned int number);
/* There may be something to do for a closer that sleeps. */
void closing_wake(const struct closing *closing);
/* What it does. @return the descriptor it is at, -1: none. @count: how many it has begun with. */
int closing_progress(const struct closing *closing, unsigned int number, uint32_t *count,
		     uint64_t *owner);
/* Whether there is something that another closer could do. */
bool closing_needs_closer(const struct closing *closing);

#endif
