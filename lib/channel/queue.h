/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the queue share. Ring i carries messages from member i. */
#ifndef CROSSVM_LIB_CHANNEL_QUEUE_H
#define CROSSVM_LIB_CHANNEL_QUEUE_H

#include <crossvm/abi_channel.h>
#include <crossvm/channel.h>

#include "lib/channel/atomic.h"
#include "lib/channel/complaint.h"
#include "lib/channel/geometry.h"
#include "lib/channel/wait.h"

#define unlikely(x) __builtin_expect(!!(x), 0)

/* More wakes than this without anything to do, and the peer is playing with us. */
#ifndef EARLY_ROUNDS_MAX
#define EARLY_ROUNDS_MAX 4u
#endif

static inline struct crossvm_abi_member *queue_own(const struct crossvm_queue *queue)
{
	return &queue->shared->member[queue->member];
}

static inline const struct crossvm_abi_member *queue_peer(const struct crossvm_queue *queue)
{
	return &queue->shared->member[1 - queue->member];
}

static inline struct crossvm_abi_ring *queue_out(const struct crossvm_queue *queue)
{
	return &queue->shared->ring[queue->member];
}

static inline struct crossvm_abi_ring *queue_in(const struct crossvm_queue *queue)
{
	return &queue->shared->ring[1 - queue->member];
}

/* Is somebody else attached in our place? */
static inline int queue_check_own(const struct crossvm_queue *queue)
{
	return load(&queue_own(queue)->state.incarnation) == queue->incarnation ? 0
										: -CROSSVM_ESTALE;
}

/* Our own geometry, as published at attach; valid because it is computed again, not read. */
int channel_queue_compare_peer(const struct crossvm_queue *queue,
			       struct crossvm_complaint *complaint);

void channel_queue_doorbell(struct crossvm_queue *queue, uint64_t *counter);

#endif
