/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue in a connection's dataport, which sleeps on the connection's events. */
#include <crossvm/channel_connection.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/error.h"

/* Polls to find out how long one takes. */
#define CALIBRATION_POLLS 256u

struct crossvm_channel {
	struct crossvm_queue queue; /* the first member, so that it is aligned as malloc aligns */
	struct crossvm_connection *conn;
	char name[CROSSVM_NAME_BYTES];
	uint32_t own_id;
	uint32_t member_count;
	bool peer_was_there;
};

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

/*
 * -EPIPE when the other side had the connection open, nobody but us has it any more, and it has not
 * said goodbye: after a goodbye, the queue tells the end, and waits for the next one to come.
 */
static int check_peer(struct crossvm_channel *channel)
{
	for (uint32_t id = 0; id < channel->member_count; id++) {
		struct crossvm_peer peer;

		if (id == channel->own_id || crossvm_connection_peer(channel->conn, id, &peer))
			continue;
		/* A host that does not tell leaves us to the deadlines. */
		if (peer.state == CROSSVM_PEER_UNKNOWN)
			return 0;
		if (peer.state == CROSSVM_PEER_OPEN) {
			channel->peer_was_there = true;
			return 0;
		}
	}
	return channel->peer_was_there && crossvm_queue_peer_attached(&channel->queue) ? -EPIPE : 0;
}

static void ring(void *ctx)
{
	struct crossvm_channel *channel = ctx;

	/* A host side that has gone is told by the next wait. */
	(void)crossvm_connection_emit(channel->conn);
}

static int wait_for_ring(void *ctx, uint64_t deadline)
{
	struct crossvm_channel *channel = ctx;
	int left = timeout_ms(deadline);
	int rc = check_peer(channel);
	uint64_t count;
	bool changed;

	if (rc)
		return rc;
	if (channel->queue.polling)
		return deadline != CROSSVM_FOREVER && !left ? -ETIMEDOUT : 0;
	rc = crossvm_connection_wait_change(channel->conn, left, &count, &changed);
	if (rc)
		return rc;
	rc = check_peer(channel);
	if (!rc && deadline != CROSSVM_FOREVER && !timeout_ms(deadline))
		rc = -ETIMEDOUT;
	return rc;
}

int crossvm_channel_wake(struct crossvm_channel *channel)
{
	uint64_t count;
	bool changed;
	int rc;

	do {
		rc = crossvm_connection_wait_change(channel->conn, 0, &count, &changed);
	} while (!rc || rc == -EINTR);
	return rc == -ETIMEDOUT ? check_peer(channel) : rc;
}

/* How many polls fit into that time; a poll's price differs by a factor of fifty. */
static uint32_t polls_in(uint32_t us)
{
	uint64_t start = now_ns(), elapsed;

	for (unsigned int i = 0; i < CALIBRATION_POLLS; i++) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#else
		__asm__ volatile("" ::: "memory");
#endif
	}
	elapsed = now_ns() - start;
	if (!elapsed)
		elapsed = 1;
	elapsed = (uint64_t)us * 1000u * CALIBRATION_POLLS / elapsed;
	return elapsed < UINT32_MAX / 4 ? (uint32_t)elapsed : UINT32_MAX / 4;
}

void crossvm_channel_options_init(struct crossvm_channel_options *options)
{
	*options = (struct crossvm_channel_options){.spin_us = CROSSVM_CHANNEL_SPIN_US_DEFAULT};
}

int crossvm_channel_explain(const struct crossvm_channel *channel, int result)
{
	struct crossvm_complaint complaint = crossvm_queue_complaint(&channel->queue);
	const char *name = channel->name;

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
			name, crossvm_queue_max_message(&channel->queue));
	case -EPIPE:
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

/* Which end we are, or -EINVAL. */
static int choose_end(struct crossvm_channel *channel, int end, unsigned int *member)
{
	if (end == CROSSVM_CHANNEL_END_FIRST || end == CROSSVM_CHANNEL_END_SECOND) {
		*member = end == CROSSVM_CHANNEL_END_SECOND;
		return 0;
	}
	if (end != CROSSVM_CHANNEL_END_AUTO)
		return crossvm_fail(-EINVAL, "connection '%s': %d is no end of a queue",
				    channel->name, end);
	if (channel->member_count != 2 || channel->own_id > 1)
		return crossvm_fail(-EINVAL,
				    "connection '%s' has %" PRIu32
				    " members, so each side must tell "
				    "which end of the queue it is",
				    channel->name, channel->member_count);
	*member = channel->own_id;
	return 0;
}

static int attach(struct crossvm_channel *channel, const struct crossvm_channel_options *options)
{
	struct crossvm_port port = {.ring = ring, .wait = wait_for_ring, .ctx = channel};
	struct crossvm_queue_config config = {.flags = options->flags,
					      .first_ring_bytes = options->first_ring_bytes,
					      .spin_limit = polls_in(options->spin_us)};
	size_t bytes = 0;
	int rc = choose_end(channel, options->end, &config.member);

	if (rc)
		return rc;
	port.memory = crossvm_connection_dataport(channel->conn, &bytes);
	port.bytes = bytes;
	if (!port.memory)
		return crossvm_fail(-EINVAL, "connection '%s' has no dataport, which a queue needs",
				    channel->name);
	if (options->format)
		crossvm_queue_format(&port);
	rc = crossvm_queue_attach(&channel->queue, &port, &config);
	if (rc == -EINVAL)
		return crossvm_fail(rc,
				    "connection '%s': a ring of %" PRIu64
				    " bytes does not fit into "
				    "the dataport of %zu; give a smaller multiple of 64",
				    channel->name, options->first_ring_bytes, bytes);
	return crossvm_channel_explain(channel, rc);
}

int crossvm_channel_open(const char *name, const struct crossvm_channel_options *options,
			 struct crossvm_channel **channel)
{
	const unsigned int access = CROSSVM_OPEN_READ | CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT;
	struct crossvm_channel_options defaults;
	struct crossvm_connection_info info;
	struct crossvm_channel *opened;
	int rc;

	crossvm_channel_options_init(&defaults);
	if (!options)
		options = &defaults;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return crossvm_fail(-ENOMEM, "out of memory for the channel '%s'", name);
	rc = crossvm_connection_open(name, access, options->open, &opened->conn);
	if (rc)
		goto out_free;
	crossvm_connection_info(opened->conn, &info);
	opened->own_id = info.member_id;
	opened->member_count = info.member_count;
	strncpy(opened->name, info.name, sizeof(opened->name) - 1);
	rc = attach(opened, options);
	if (rc)
		goto out_close;
	(void)check_peer(opened);
	*channel = opened;
	return 0;

out_close:
	crossvm_connection_close(opened->conn);
out_free:
	free(opened);
	return rc;
}

void crossvm_channel_close(struct crossvm_channel *channel)
{
	if (!channel)
		return;
	crossvm_queue_detach(&channel->queue);
	crossvm_connection_close(channel->conn);
	free(channel);
}

struct crossvm_queue *crossvm_channel_queue(struct crossvm_channel *channel)
{
	return &channel->queue;
}

struct crossvm_connection *crossvm_channel_connection(struct crossvm_channel *channel)
{
	return channel->conn;
}
