/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of vmm/'s core: the connections of one VM.
 */
#ifndef CROSSVM_VMM_VMM_H
#define CROSSVM_VMM_VMM_H

#include <stdatomic.h>

#include "vmm/platform.h"

/* Twice as many as there can be connections, so that a search ends after a slot or two. */
#define CROSSVM_LOOKUP_SLOTS (2 * CROSSVM_MAX_CONNECTIONS)

/*
 * Connections by consume_id, open addressing. Init adds to it while other threads search; nothing
 * is ever taken out.
 */
struct crossvm_lookup {
	_Atomic(struct crossvm_vmm_connection *) slots[CROSSVM_LOOKUP_SLOTS];
};

struct crossvm_vmm {
	unsigned int count;
	struct crossvm_vmm_connection *connections[CROSSVM_MAX_CONNECTIONS];
	struct crossvm_lookup lookup;
};

/* lookup.c */

/* Whether a consume_id says that no events come in. */
bool crossvm_consume_id_is_none(seL4_Word consume_id);
void crossvm_lookup_add(struct crossvm_lookup *lookup, struct crossvm_vmm_connection *connection);
struct crossvm_vmm_connection *crossvm_lookup_find(struct crossvm_lookup *lookup,
						   seL4_Word consume_id);

/* describe.c */

/*
 * From what the caller says to a connection that the platform has not heard of yet: check, copy,
 * fill in what was left out. On 0 it is the VM's next; -errno after a message.
 */
int crossvm_vmm_describe(struct crossvm_vmm *vmm, vm_t *vm, vmm_pci_space_t *pci,
			 const struct crossvm_connection_options *options);
/* Give the memory back that describe took. */
void crossvm_vmm_forget(struct crossvm_vmm_connection *connection);

/* placement.c */

/*
 * Check that the VM's connections from number first on find room from base on, and place them there
 * if that is the platform's way. On failure -errno after a message.
 */
int crossvm_vmm_place(struct crossvm_vmm *vmm, unsigned int first, uintptr_t base);

/* events.c */

/* What a connection's device calls. */
extern const struct crossvm_device_ops crossvm_vmm_device_ops;

/* The VM's connection to which events of this id go; NULL: none. */
struct crossvm_vmm_connection *crossvm_vmm_find(vm_t *vm, seL4_Word event_id);

/* error.c */

/* Report an error of no connection in particular. */
__attribute__((format(printf, 2, 3))) void crossvm_vmm_error_of_vm(vm_t *vm, const char *format,
								   ...);

#endif
