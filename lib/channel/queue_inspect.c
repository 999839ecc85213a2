/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at a queue from outside. */
#include <string.h>

#include "lib/channel/journal.h"
#include "lib/channel/queue.h"

/* The position moves while we look; after a few tries the last counts seen will do. */
#define INSPECT_TRIES 8

static void inspect_half(struct crossvm_half_info *info, const uint64_t *position,
			 const struct crossvm_abi_journal *journal,
			 const struct crossvm_abi_half_stats *stats)
{
	struct crossvm_abi_count count = {0};
	unsigned int entry;

	for (int i = 0; i < INSPECT_TRIES; i++) {
		/* Acquires the position's release, which the journal's entry precedes. */
		if (journal_find(journal, load_acquire(position), &entry, &count))
			break;
	}
	info->messages = count.messages;
	info->bytes = count.bytes;
	info->doorbells = load(&stats->doorbells);
	info->sleeps = load(&stats->sleeps);
	info->stalls = load(&stats->stalls);
}

int crossvm_queue_inspect(const void *memory, uint64_t bytes, struct crossvm_queue_info *info)
{
	const struct crossvm_abi_queue *shared = memory;
	const struct crossvm_abi_hello *hello = NULL;

	if (bytes < sizeof(*shared))
		return -CROSSVM_EINVAL;
	memset(info, 0, sizeof(*info));
	for (unsigned int i = 0; i < 2; i++) {
		struct crossvm_member_info *m = &info->member[i];
		const struct crossvm_abi_state *state = &shared->member[i].state;

		/* Acquires its release in channel_geometry_publish. */
		if (load_acquire(&shared->member[i].hello.magic) == CROSSVM_QUEUE_MAGIC)
			hello = &shared->member[i].hello;
		inspect_half(&m->sender, &shared->ring[i].head.position, &shared->counts[i].sent,
			     &shared->stats[i].sender);
		inspect_half(&m->receiver, &shared->ring[1 - i].tail.position,
			     &shared->counts[i].received, &shared->stats[i].receiver);
		m->incarnation = load(&state->incarnation);
		m->sender.closed = load(&state->send_closed);
		m->receiver.closed = load(&state->receive_closed);
		info->waiting[i] =
			load(&shared->ring[i].head.position) - load(&shared->ring[i].tail.position);
	}
	if (!hello)
		return -CROSSVM_ENODATA;
	info->version = load(&hello->version);
	info->flags = load(&hello->flags);
	info->ring_bytes[0] = load(&hello->ring_bytes[0]);
	info->ring_bytes[1] = load(&hello->ring_bytes[1]);
	return 0;
}
