/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for the other side, and waking it.
 *
 * Sleeper:                                  Waker:
 *   S1  wake = the position wanted            W1  position = new (release)
 *   S2  fence                                 W2  fence
 *   S3  position reached? then do not sleep   W3  wake in (old, new]? then ring the doorbell
 *   S4  sleep until the doorbell rings
 *
 * No wakeup is lost: fences S2 and W2 come in one order on all processors. If S2 is first, W3
 * sees the wake position of S1 and rings. If W2 is first, S3 sees the position of W1 and does not
 * sleep. Without either fence a processor may delay its store (S1 or W1) beyond its load (S3 or
 * W3), both sides read the old values, and the sleeper sleeps with work to do; the Spin model in
 * tests/channel/ finds exactly this when a fence is taken out.
 *
 * One doorbell per sleep at most: the position passes the wake position once, and the waker rings
 * only for the step that passes it, so that it need not remember for whom it rang.
 */
#ifndef CROSSVM_LIB_CHANNEL_WAIT_H
#define CROSSVM_LIB_CHANNEL_WAIT_H

#include <stdbool.h>

#include <crossvm/abi_channel.h>
#include <crossvm/channel.h>

/* What ends a wait: a position reached, or the peer restarted or closed. */
struct wait_for {
	const uint64_t *word;
	uint64_t until;
	const struct crossvm_abi_state *peer;
	uint64_t incarnation;
	const uint64_t *closed; /* NULL: known, and not what we wait for */
};

/* Where this side says that it sleeps. */
struct wait_self {
	const struct crossvm_port *port;
	uint64_t *wake;
	struct crossvm_abi_half_stats *stats;
	struct crossvm_spin *spin;
	bool polling;
	bool fence_by_lock;
};

/* Has position until been passed by the step from old to now? All are below 2^62, or NEVER. */
static inline bool wait_passes(uint64_t until, uint64_t old, uint64_t now)
{
	return until - old - 1 < now - old;
}

bool channel_wait_is_over(const struct wait_for *what);

/* Publish the wish and check once more. True: sleep. False: do not, it is there. */
bool channel_wait_arm(const struct wait_self *self, const struct wait_for *what);

/*
 * Wait once: spin, arm, sleep. The caller looks again at what it wants, and calls again.
 *
 * @early  set if something came before sleeping: the caller must then find it.
 * @return 0, or what the port's wait returned.
 */
int channel_wait_once(const struct wait_self *self, const struct wait_for *what, uint64_t deadline,
		      bool *early);

/* The same for an event loop, which sleeps by itself: counted as a sleep after a stall. */
bool channel_wait_promise(const struct wait_self *self, const struct wait_for *what);

void channel_wait_count(uint64_t *counter);

void channel_spin_init(struct crossvm_spin *spin, uint32_t limit);
/* Poll until it is over or the budget is spent; learn from it. */
bool channel_spin_until(struct crossvm_spin *spin, const struct wait_for *what);

#endif
