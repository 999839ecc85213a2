/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue in a connection's dataport, which sleeps on the connection's events. */
#include <crossvm/channel_connection.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/channel/queue.h"
#include "lib/channel_base.h"
#include "lib/error.h"

struct crossvm_channel {
	struct crossvm_queue queue; /* the first member, so that it is aligned as malloc aligns */
	struct channel_base base;
};

static uint64_t other_incarnation(const struct channel_base *base)
{
	const void *start = (const char *)base - offsetof(struct crossvm_channel, base);
	const struct crossvm_channel *channel = start;

	return crossvm_queue_peer_attached(&channel->queue)
		       ? load(&queue_peer(&channel->queue)->state.incarnation)
		       : 0;
}

static void ring(void *ctx)
{
	struct crossvm_channel *channel = ctx;

	channel_base_ring(&channel->base);
}

static int wait_for_ring(void *ctx, uint64_t deadline)
{
	struct crossvm_channel *channel = ctx;

	return channel->queue.polling ? channel_base_glance(&channel->base, deadline)
				      : channel_base_wait(&channel->base, deadline);
}

int crossvm_channel_wake(struct crossvm_channel *channel)
{
	return channel_base_wake(&channel->base);
}

void crossvm_channel_options_init(struct crossvm_channel_options *options)
{
	*options = (struct crossvm_channel_options){.spin_us = CROSSVM_CHANNEL_SPIN_US_DEFAULT};
}

int crossvm_channel_explain(const struct crossvm_channel *channel, int result)
{
	return channel_base_explain(&channel->base, result,
				    crossvm_queue_complaint(&channel->queue),
				    crossvm_queue_max_message(&channel->queue));
}

/* The end where nobody has told it, or -EINVAL. */
static int find_end(const struct channel_base *base, unsigned int *member)
{
	const struct crossvm_connection_info *info = &base->info;
	unsigned int writers = channel_base_writers(base);

	if (writers == 2) {
		*member = (info->writers >> info->member_id) == 1;
		return 0;
	}
	if (writers > 2)
		return crossvm_fail(-EINVAL,
				    "connection '%s' has %u members that may write, so each side "
				    "must tell which end of the queue it is",
				    base->name, writers);
	if (info->member_count != 2)
		return crossvm_fail(-EINVAL,
				    "connection '%s' has %" PRIu32
				    " members, so each side must tell "
				    "which end of the queue it is",
				    base->name, info->member_count);
	*member = info->member_id;
	return 0;
}

static int choose_end(struct channel_base *base, int end, unsigned int *member)
{
	if (end < CROSSVM_CHANNEL_END_AUTO || end > CROSSVM_CHANNEL_END_SECOND)
		return crossvm_fail(-EINVAL, "connection '%s': %d is no end of a queue", base->name,
				    end);
	if (channel_base_writers(base) == 1)
		return crossvm_fail(-EPROTOTYPE,
				    "connection '%s' has one member that may write, so it carries "
				    "a broadcast; a queue needs two",
				    base->name);
	if (base->info.writers)
		base->others &= base->info.writers;
	*member = end == CROSSVM_CHANNEL_END_SECOND;
	return end == CROSSVM_CHANNEL_END_AUTO ? find_end(base, member) : 0;
}

static int attach(struct crossvm_channel *channel, const struct crossvm_channel_options *options)
{
	struct crossvm_port port = {.ring = ring, .wait = wait_for_ring, .ctx = channel};
	struct crossvm_queue_config config = {.flags = options->flags,
					      .first_ring_bytes = options->first_ring_bytes,
					      .spin_limit =
						      channel_base_polls_in(options->spin_us)};
	int rc = channel_base_dataport(&channel->base, "queue", &port);

	if (!rc)
		rc = choose_end(&channel->base, options->end, &config.member);
	if (rc)
		return rc;
	if (options->format)
		crossvm_queue_format(&port);
	rc = crossvm_queue_attach(&channel->queue, &port, &config);
	if (rc == -EINVAL)
		return crossvm_fail(rc,
				    "connection '%s': a ring of %" PRIu64
				    " bytes does not fit into "
				    "the dataport of %" PRIu64 "; give a smaller multiple of 64",
				    channel->base.name, options->first_ring_bytes, port.bytes);
	return crossvm_channel_explain(channel, rc);
}

int crossvm_channel_open(const char *name, const struct crossvm_channel_options *options,
			 struct crossvm_channel **channel)
{
	const unsigned int access = CROSSVM_OPEN_READ | CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT;
	struct crossvm_channel_options defaults;
	struct crossvm_channel *opened;
	int rc;

	crossvm_channel_options_init(&defaults);
	if (!options)
		options = &defaults;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return crossvm_fail(-ENOMEM, "out of memory for the channel '%s'", name);
	opened->base.other_incarnation = other_incarnation;
	rc = channel_base_open(&opened->base, name, access, options->open);
	if (!rc)
		rc = attach(opened, options);
	if (rc) {
		crossvm_connection_close(opened->base.conn);
		free(opened);
		return rc;
	}
	channel_base_start(&opened->base);
	*channel = opened;
	return 0;
}

void crossvm_channel_close(struct crossvm_channel *channel)
{
	if (!channel)
		return;
	crossvm_queue_detach(&channel->queue);
	crossvm_connection_close(channel->base.conn);
	free(channel);
}

struct crossvm_queue *crossvm_channel_queue(struct crossvm_channel *channel)
{
	return &channel->queue;
}

struct crossvm_connection *crossvm_channel_connection(struct crossvm_channel *channel)
{
	return channel->base.conn;
}
