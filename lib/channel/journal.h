/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts that agree with a position at any instant, without a lock and without a log: two entries,
 * of which the one that carries the published position holds. The other is written first, then
 * the position is published, which makes it the one that holds.
 */
#ifndef CROSSVM_LIB_CHANNEL_JOURNAL_H
#define CROSSVM_LIB_CHANNEL_JOURNAL_H

#include <stdbool.h>

#include <crossvm/abi_channel.h>
#include "lib/channel/atomic.h"

/* Write the entry that does not hold; the caller then publishes the position with release. */
static inline void journal_prepare(struct crossvm_abi_journal *journal, unsigned int entry,
				   uint64_t position, uint64_t messages, uint64_t bytes)
{
	struct crossvm_abi_count *count = &journal->entry[entry];

	store(&count->position, position);
	store(&count->messages, messages);
	store(&count->bytes, bytes);
}

/*
 * Find the counts that belong to a position.
 *
 * @entry  set to the entry that holds.
 * @return false when neither does: somebody else wrote here, or it is changing.
 */
static inline bool journal_find(const struct crossvm_abi_journal *journal, uint64_t position,
				unsigned int *entry, struct crossvm_abi_count *count)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (load(&journal->entry[i].position) != position)
			continue;
		*entry = i;
		count->position = position;
		count->messages = load(&journal->entry[i].messages);
		count->bytes = load(&journal->entry[i].bytes);
		return true;
	}
	return false;
}

#endif
