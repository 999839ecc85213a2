/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watched descriptors, and the turns in which they are served.
 *
 * All of it is private memory: a process that goes on after another makes watches of its own, and
 * whoever owns a descriptor watches it again.
 *
 * A turn serves each descriptor that is ready. What one owner can have done in a turn is limited, so
 * that others are served soon, however many descriptors an owner keeps ready. Work is counted in
 * messages. What is left is done in the next turn.
 *
 * Thread-safety: none.
 */
#ifndef CROSSVM_SERVER_WATCHES_H
#define CROSSVM_SERVER_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCHES_TURN_MESSAGES 32u /* of one owner */

/*
 * Whose descriptors they are: a VM's, a user's, ... In private memory; zeroed is a fresh one. All
 * descriptors that one client can make ready have the same owner.
 */
struct watch_owner {
	uint64_t turn; /* in which it was served last */
	uint32_t spent;
};

/*
 * The descriptor is ready (events, as in epoll_wait(2)), or has more to do as watches_again() said
 * (events may be 0).
 *
 * @budget: messages that may be applied now, at least 1.
 * @return how many were. 0 counts as 1.
 */
typedef unsigned int (*watch_fn)(void *context, uint32_t events, unsigned int budget);

struct watch;
struct watches;

/* @return NULL with errno. */
struct watches *watches_create(void);
/* Accepts NULL. What is watched stays open. */
void watches_destroy(struct watches *watches);

/* The epoll descriptor, which is readable if a turn has something to do. */
int watches_fd(const struct watches *watches);

/* Close the epoll descriptor: this process waits for nothing until watches_renew(). */
void watches_close(struct watches *watches);

/*
 * Begin with an empty epoll set, in place of that of the process before, which this one was cloned from
 * or shares descriptors with. The old one stays open. @return 0 or -errno.
 */
int watches_renew(struct watches *watches);

/*
 * Watch a descriptor, or change how it is watched. @events: as of epoll_ctl(2); 0: it is known, but
 * not waited for. @owner, function and context are valid until watches_remove().
 *
 * @return 0, or -ENOMEM, -ENOSPC.
 */
int watches_set(struct watches *watches, int fd, uint32_t events, struct watch_owner *owner,
		watch_fn function, void *context);
/* Accepts a descriptor that is not watched. Call it before the descriptor is closed. */
void watches_remove(struct watches *watches, int fd);

/* A watched descriptor has more to do, which no event will tell: serve it in the next turn. */
void watches_again(struct watches *watches, int fd);

/*
 * Do not wait for a watched descriptor until watches_unpause(), which ends this for all that are
 * paused: what it would need is not there now.
 */
void watches_pause(struct watches *watches, int fd);
void watches_unpause(struct watches *watches);
/* Whether any is paused. */
bool watches_are_paused(const struct watches *watches);

/*
 * At the end of each turn that served anything or had been asked to: @function does what the turn has
 * left to do, and returns whether there is more, so that the next turn does not wait.
 */
void watches_at_end(struct watches *watches, bool (*function)(void *context), void *context);

/*
 * One turn. @timeout_ms: how long to wait for something to do; -1: without limit.
 *
 * @return how many descriptors were served, 0 after the timeout or a signal, or -errno.
 */
int watches_turn(struct watches *watches, int timeout_ms);

#endif
