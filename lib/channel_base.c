/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/channel_base.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include <crossvm/channel_connection.h>

#include "lib/backend.h"
#include "lib/channel/atomic.h"
#include "lib/error.h"

/* Polls to find out how long one takes. */
#define CALIBRATION_POLLS 256u

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t crossvm_channel_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return CROSSVM_FOREVER;
	return timeout_ms ? now_ns() + (uint64_t)timeout_ms * 1000000u : CROSSVM_NOW;
}

/* Whole milliseconds, rounded up, so that nobody wakes too early and comes again. */
static int timeout_ms(uint64_t deadline)
{
	uint64_t now, left;

	if (deadline == CROSSVM_FOREVER)
		return -1;
	now = now_ns();
	if (deadline <= now)
		return 0;
	left = (deadline - now + 999999u) / 1000000u;
	return left < INT_MAX ? (int)left : INT_MAX;
}

int channel_base_open(struct channel_base *base, const char *name, unsigned int access,
		      const struct crossvm_open_options *open)
{
	int rc = crossvm_connection_open(name, access, open, &base->conn);

	if (rc)
		return rc;
	crossvm_connection_info(base->conn, &base->info);
	strncpy(base->name, base->info.name, sizeof(base->name) - 1);
	base->others = ~(UINT64_C(1) << base->info.member_id);
	return 0;
}

int channel_base_dataport(const struct channel_base *base, const char *kind,
			  struct crossvm_port *port)
{
	size_t bytes = 0;

	port->memory = crossvm_connection_dataport(base->conn, &bytes);
	port->bytes = bytes;
	if (!port->memory)
		return crossvm_fail(-EINVAL, "connection '%s' has no dataport, which a %s needs",
				    base->name, kind);
	return 0;
}

unsigned int channel_base_writers(const struct channel_base *base)
{
	return (unsigned int)__builtin_popcountll(base->info.writers);
}

/* Has anyone of the other side the connection open? A host that does not tell leaves us in doubt. */
static bool other_may_be_there(struct channel_base *base)
{
	for (uint32_t id = 0; id < base->info.member_count; id++) {
		struct crossvm_peer peer;

		if (!(base->others >> id & 1) || crossvm_connection_peer(base->conn, id, &peer))
			continue;
		if (peer.state == CROSSVM_PEER_OPEN)
			base->other_was_there = true;
		if (peer.state == CROSSVM_PEER_OPEN || peer.state == CROSSVM_PEER_UNKNOWN)
			return true;
	}
	return false;
}

/*
 * A life of the other side that was attached, and whose process has gone, without a goodbye since; 0
 * if there is none. Whoever attaches has the connection open before: so the attached life is asked for
 * first, then whether it is there, then whether it is still that life. In another order, one that
 * goes and returns in between would be taken for dead.
 */
static uint64_t find_dead(struct channel_base *base)
{
	uint64_t incarnation = base->other_incarnation(base);

	fence_acquire();
	if (other_may_be_there(base) || !incarnation)
		return 0;
	return base->other_incarnation(base) == incarnation ? incarnation : 0;
}

void channel_base_start(struct channel_base *base)
{
	base->dead = find_dead(base);
}

int channel_base_check(struct channel_base *base)
{
	uint64_t dead = find_dead(base);

	/* Who only opened the connection, for whatever reason, is not the one that was killed. */
	return dead && base->other_was_there && dead != base->dead ? -EPIPE : 0;
}

void channel_base_ring(struct channel_base *base)
{
	/* A host side that has gone is told by the next wait. */
	(void)crossvm_connection_emit(base->conn);
}

/* Is there a reason to wait no longer? */
static int check_all(struct channel_base *base, uint64_t deadline)
{
	int rc = channel_base_check(base);

	if (rc)
		return rc;
	return deadline != CROSSVM_FOREVER && !timeout_ms(deadline) ? -ETIMEDOUT : 0;
}

int channel_base_glance(struct channel_base *base, uint64_t deadline)
{
	uint64_t count;
	bool changed;
	/* Only this tells when the host side has gone. */
	int rc = crossvm_connection_wait_change(base->conn, 0, &count, &changed);

	return rc && rc != -ETIMEDOUT ? rc : check_all(base, deadline);
}

int channel_base_wait(struct channel_base *base, uint64_t deadline)
{
	int left = timeout_ms(deadline);
	int rc = channel_base_check(base);
	uint64_t count;
	bool changed;

	if (rc)
		return rc;
	rc = crossvm_connection_wait_change(base->conn, left, &count, &changed);
	return rc ? rc : check_all(base, deadline);
}

int channel_base_wake(struct channel_base *base)
{
	uint64_t count;
	bool changed;
	int rc;

	do {
		rc = crossvm_connection_wait_change(base->conn, 0, &count, &changed);
	} while (!rc || rc == -EINTR);
	return rc == -ETIMEDOUT ? channel_base_check(base) : rc;
}

uint32_t channel_base_polls_in(uint32_t us)
{
	uint64_t start = now_ns(), elapsed;

	for (unsigned int i = 0; i < CALIBRATION_POLLS; i++)
		relax();
	elapsed = now_ns() - start;
	if (!elapsed)
		elapsed = 1;
	elapsed = (uint64_t)us * 1000u * CALIBRATION_POLLS / elapsed;
	return elapsed < UINT32_MAX / 4 ? (uint32_t)elapsed : UINT32_MAX / 4;
}

int channel_base_explain(const struct channel_base *base, int result,
			 struct crossvm_complaint complaint, size_t max_message)
{
	const char *name = base->name;

	switch (result) {
	case -EPROTO:
		return crossvm_fail(result,
				    "connection '%s': %s (expected %" PRIu64 ", found %" PRIu64
				    "); if nobody uses it, format it",
				    name, crossvm_complaint_text(complaint.kind), complaint.ours,
				    complaint.theirs);
	case -EMSGSIZE:
		return crossvm_fail(
			result,
			"connection '%s': the message is larger than the %zu bytes that "
			"fit; give the connection a larger dataport, or use a stream",
			name, max_message);
	case -EPIPE:
		if (atomic_load_explicit(&base->conn->gone, memory_order_relaxed))
			return crossvm_fail(result,
					    "connection '%s': the host side has gone; open it "
					    "again once it is back",
					    name);
		return crossvm_fail(result, "connection '%s': the other side has gone", name);
	case -ESHUTDOWN:
		return crossvm_fail(result, "connection '%s': the other side receives no more",
				    name);
	case -ENODATA:
		return crossvm_fail(result, "connection '%s': the other side sends no more", name);
	case -ECONNRESET:
		return crossvm_fail(result, "connection '%s': the other side has restarted", name);
	case -ESTALE:
		return crossvm_fail(
			result,
			"connection '%s': another process has taken our place; only one "
			"process of a member can use it at a time",
			name);
	case -ETIMEDOUT:
		return crossvm_fail(result, "connection '%s': the time given is over", name);
	default:
		return result;
	}
}
