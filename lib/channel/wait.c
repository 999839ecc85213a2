/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/channel/wait.h"
#include "lib/channel/atomic.h"

/* After so many waits in a row that spinning did not shorten, go to sleep at once. */
#define SPIN_GIVE_UP 8u
/* Then try a long spin again: after 16, 32, 64 such waits, and every 64 from there on. */
#define SPIN_PROBE_EVERY 64u
/* The first polls come without a pause, which may cost as much as the message needs to come. */
#define SPIN_EAGER 32u

/*
 * While spinning helps, the budget is four times the polls that were enough lately, and an eighth
 * of the limit at least: less than a sleep and a wakeup cost. A channel with little to do costs no
 * processor time but a long spin now and then, which finds out whether that has changed.
 */
static uint32_t spin_budget(const struct crossvm_spin *spin)
{
	uint32_t budget = spin->typical < spin->limit / 4 ? spin->typical * 4 : spin->limit;
	uint32_t misses = spin->misses;

	if (misses < SPIN_GIVE_UP)
		return budget > spin->limit / 8 ? budget : spin->limit / 8;
	if (misses % SPIN_PROBE_EVERY == 0 || misses == SPIN_PROBE_EVERY / 2 ||
	    misses == SPIN_PROBE_EVERY / 4)
		return spin->limit;
	return 0;
}

void channel_spin_init(struct crossvm_spin *spin, uint32_t limit)
{
	spin->limit = limit;
	spin->typical = limit / 4;
	spin->misses = 0;
	spin->budget = spin_budget(spin);
}

static void spin_learn(struct crossvm_spin *spin, uint32_t polls, bool hit)
{
	if (!hit) {
		spin->misses++;
	} else {
		if (spin->misses >= SPIN_GIVE_UP || polls > spin->typical)
			spin->typical = polls;
		else
			spin->typical -= (spin->typical - polls) / 8;
		spin->misses = 0;
	}
	spin->budget = spin_budget(spin);
}

bool channel_spin_until(struct crossvm_spin *spin, const struct wait_for *what)
{
	uint32_t budget = spin->budget;

	for (uint32_t i = 0; i < budget; i++) {
		if (channel_wait_is_over(what)) {
			spin_learn(spin, i, true);
			return true;
		}
		if (i >= SPIN_EAGER)
			relax();
	}
	if (spin->limit)
		spin_learn(spin, budget, false);
	return false;
}

bool channel_wait_is_over(const struct wait_for *what)
{
	/* Acquires the peer's release of its position; the others are read again by the caller. */
	if (load_acquire(what->word) - what->until < CROSSVM_POSITION_LIMIT)
		return true;
	if (load(&what->peer->incarnation) != what->incarnation)
		return true;
	return what->closed && load(what->closed);
}

bool channel_wait_arm(const struct wait_self *self, const struct wait_for *what)
{
	store(self->wake, what->until); /* S1 */
	fence(self->fence_by_lock);     /* S2; its partner is W2 in wake_receiver and wake_sender */
	if (!channel_wait_is_over(what)) /* S3 */
		return true;
	store(self->wake, CROSSVM_WAKE_NEVER);
	return false;
}

void channel_wait_count(uint64_t *counter)
{
	store(counter, load(counter) + 1);
}

bool channel_wait_promise(const struct wait_self *self, const struct wait_for *what)
{
	if (!channel_wait_arm(self, what))
		return false;
	channel_wait_count(&self->stats->stalls);
	channel_wait_count(&self->stats->sleeps);
	return true;
}

int channel_wait_once(const struct wait_self *self, const struct wait_for *what, uint64_t deadline,
		      bool *early)
{
	int rc;

	*early = true;
	if (self->polling) {
		for (uint32_t i = 0; i < self->spin->limit; i++) {
			if (channel_wait_is_over(what))
				return 0;
			relax();
		}
		*early = false;
		return self->port->wait(self->port->ctx, deadline);
	}
	if (channel_spin_until(self->spin, what) || !channel_wait_arm(self, what))
		return 0;

	*early = false;
	channel_wait_count(&self->stats->sleeps);
	rc = self->port->wait(self->port->ctx, deadline); /* S4 */
	store(self->wake, CROSSVM_WAKE_NEVER);
	return rc;
}
