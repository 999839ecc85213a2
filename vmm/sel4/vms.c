// SPDX-License-Identifier: BSD-2-Clause
/* The records of VMs. The only mutable global here: vm_t has no place for a pointer of ours. */
#include <stdlib.h>

#include "vmm/sel4/internal.h"

static _Atomic(struct sel4_vm *) records;

struct sel4_vm *sel4_vm_find(const vm_t *vm)
{
	/* Acquire: pairs with the release in sel4_vm_claim(), so the record is whole. */
	struct sel4_vm *record = atomic_load_explicit(&records, memory_order_acquire);

	if (!vm)
		return NULL;
	while (record && record->vm != vm)
		record = record->next;
	return record;
}

struct sel4_vm *sel4_vm_nth(unsigned int n)
{
	struct sel4_vm *record = atomic_load_explicit(&records, memory_order_acquire);

	for (; record; record = record->next)
		if (record->vmm && n-- == 0)
			break;
	return record;
}

static struct sel4_vm *claim_free(vm_t *vm)
{
	struct sel4_vm *record = atomic_load_explicit(&records, memory_order_acquire);

	for (; record; record = record->next) {
		vm_t *nobody = NULL;

		if (atomic_compare_exchange_strong(&record->vm, &nobody, vm))
			break;
	}
	return record;
}

struct sel4_vm *sel4_vm_claim(vm_t *vm)
{
	struct sel4_vm *record = sel4_vm_find(vm);

	if (!record)
		record = claim_free(vm);
	if (record)
		return record;
	record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	record->vm = vm;
	record->next = records;
	/* Release: pairs with the acquire of who walks the list. */
	while (!atomic_compare_exchange_weak_explicit(&records, &record->next, record,
						      memory_order_release, memory_order_relaxed))
		;
	return record;
}
