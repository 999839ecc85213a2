// SPDX-License-Identifier: BSD-2-Clause
/* From the id of an event to its connection, in the same time however many there are. */
#include "vmm/vmm.h"

static unsigned int first_slot(seL4_Word consume_id)
{
	/* Fibonacci hashing: neighbouring ids, the usual case, come to lie far apart. */
	uint64_t hash = (uint64_t)consume_id * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned int)(hash >> 32) % CROSSVM_LOOKUP_SLOTS;
}

bool crossvm_consume_id_is_none(seL4_Word consume_id)
{
	/* Some callers keep ids in an unsigned int, and their -1 comes widened. */
	return consume_id == (seL4_Word)-1 || consume_id == (seL4_Word)UINT32_MAX;
}

void crossvm_lookup_add(struct crossvm_lookup *lookup, struct crossvm_vmm_connection *connection)
{
	unsigned int slot = first_slot(connection->consume_id);

	while (atomic_load_explicit(&lookup->slots[slot], memory_order_relaxed))
		slot = (slot + 1) % CROSSVM_LOOKUP_SLOTS;
	/* Release: pairs with the acquire of find, which then sees the connection complete. */
	atomic_store_explicit(&lookup->slots[slot], connection, memory_order_release);
}

struct crossvm_vmm_connection *crossvm_lookup_find(struct crossvm_lookup *lookup,
						   seL4_Word consume_id)
{
	unsigned int slot = first_slot(consume_id);

	for (;;) {
		struct crossvm_vmm_connection *connection =
			atomic_load_explicit(&lookup->slots[slot], memory_order_acquire);

		if (!connection || connection->consume_id == consume_id)
			return connection;
		slot = (slot + 1) % CROSSVM_LOOKUP_SLOTS;
	}
}
