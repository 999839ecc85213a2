/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting, the same for all backends.
 *
 * No wake-up is lost: arm() makes the next event wake, then the waiter looks at the total, and only
 * if nothing is there it sleeps. The host stores the total before it interrupts, and a peer its count
 * before it rings the doorbell, so an event is either in the total that the waiter looks at, or its
 * interrupt comes after arm() and ends the sleep. No event is lost, because the total only grows and a
 * wait returns the difference.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "lib/backend.h"
#include "lib/error.h"
#include "lib/status.h"

struct deadline {
	int timeout_ms;
	struct timespec end; /* of a limited wait */
};

static void deadline_start(struct deadline *deadline, int timeout_ms)
{
	deadline->timeout_ms = timeout_ms;
	if (timeout_ms <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &deadline->end);
	deadline->end.tv_sec += timeout_ms / 1000;
	deadline->end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (deadline->end.tv_nsec >= 1000000000) {
		deadline->end.tv_sec++;
		deadline->end.tv_nsec -= 1000000000;
	}
}

/* What is left, rounded up: -1 without limit, 0 when the time has passed. */
static int deadline_left(const struct deadline *deadline)
{
	struct timespec now;
	int64_t left_ns;

	if (deadline->timeout_ms <= 0)
		return deadline->timeout_ms < 0 ? -1 : 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	left_ns = (int64_t)(deadline->end.tv_sec - now.tv_sec) * 1000000000 +
		  (deadline->end.tv_nsec - now.tv_nsec);
	if (left_ns <= 0)
		return 0;
	return (int)((left_ns + 999999) / 1000000);
}

/* What a wait found; changed is NULL for waits that do not care. */
struct finding {
	uint64_t count;
	bool *changed;
};

/* @return 1 when there is something to tell, 0, -EPROTO or -ENODEV. */
static int look(struct crossvm_connection *conn, struct finding *finding)
{
	uint64_t total = crossvm_connection_total(conn);
	bool found = false;

	if (crossvm_connection_unplugged(conn))
		return crossvm_fail(-ENODEV, "%s: its device has been removed", conn->name);
	if (finding->changed && conn->status.address) {
		uint32_t generation = crossvm_status_generation(conn->status.address);

		found = generation != conn->seen_generation;
		conn->seen_generation = generation;
		*finding->changed = found;
	}
	if (total < conn->seen_total)
		return crossvm_fail(
			-EPROTO,
			"%s: the count of events went back from %llu to %llu: the host, "
			"or a peer with a doorbell, is at fault",
			conn->name, (unsigned long long)conn->seen_total,
			(unsigned long long)total);
	/* For those who ask when the page is gone. */
	if (conn->status.address)
		atomic_store_explicit(&conn->counted, total, memory_order_relaxed);
	finding->count = total - conn->seen_total;
	conn->seen_total = total;
	return found || finding->count;
}

static int wait_until(struct crossvm_connection *conn, const struct deadline *deadline,
		      struct finding *finding)
{
	for (;;) {
		int left = deadline_left(deadline);
		int error = conn->ops->arm(conn);
		int found;

		if (error && crossvm_connection_unplugged(conn))
			return error;
		found = look(conn, finding);
		if (found)
			return found < 0 ? found : 0;
		if (error)
			return error;
		error = conn->ops->sleep(conn, left);
		if (error && error != -ETIMEDOUT)
			return error;
		if (left == 0) {
			found = look(conn, finding);
			if (found)
				return found < 0 ? found : 0;
			if (atomic_load_explicit(&conn->gone, memory_order_relaxed))
				return conn->ops->arm(conn);
			return crossvm_fail_fixed(-ETIMEDOUT,
						  "no event came within the time given");
		}
	}
}

static int wait_for(struct crossvm_connection *conn, int timeout_ms, uint64_t *count, bool *changed)
{
	struct finding finding = {.changed = changed};
	struct deadline deadline;
	int result = look(conn, &finding);

	if (!result) {
		deadline_start(&deadline, timeout_ms);
		result = wait_until(conn, &deadline, &finding);
	}
	if (count)
		*count = finding.count;
	return result < 0 ? result : 0;
}

int crossvm_connection_wait(struct crossvm_connection *conn, int timeout_ms, uint64_t *count)
{
	return wait_for(conn, timeout_ms, count, NULL);
}

int crossvm_connection_wait_change(struct crossvm_connection *conn, int timeout_ms, uint64_t *count,
				   bool *changed)
{
	bool found = false;
	int result = wait_for(conn, timeout_ms, count, &found);

	if (changed)
		*changed = found;
	return result;
}
