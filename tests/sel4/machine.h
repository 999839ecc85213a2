/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of vmm/sel4 have in common: a VM with connections, on the fake libsel4vm. */
#ifndef MACHINE_H
#define MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sel4vmmplatsupport/drivers/cross_vm_connection.h>

#include "fake/fake.h"

#define MACHINE_BASE        0xDF000000u
#define MACHINE_CONNECTIONS 40

struct machine {
	vm_t *vm;
	vmm_pci_space_t *pci;
	/* What the VMM would own of each connection. */
	struct {
		seL4_CPtr *frames;
		int num_frames;
	} dataports[MACHINE_CONNECTIONS];
	unsigned int count;
	struct fake_usage before;
};

/* A dataport to ask for: frames of 2^bits bytes. None: event-only. */
struct dataport {
	int frames;
	size_t bits;
};

void machine_make(struct machine *m);
/* Destroys the connections; fails if anything died or is left behind. */
void machine_free(struct machine *m);

/* The id of connection n. */
seL4_Word machine_id(unsigned int n);
/* Handles as a caller makes them, called "c0", "c1", ...; emits are counted in machine_emits. */
crossvm_handle_t machine_handle(struct machine *m, struct dataport dataport);
/* Give the frames of handles back that were never installed. */
void machine_forget(struct machine *m, unsigned int count);
/* Make and install connections; fails if that fails. */
void machine_connect(struct machine *m, unsigned int count, const struct dataport *dataports,
		     alloc_free_interrupt_fn alloc_irq);

extern unsigned int machine_emits;

/* The interrupt allocators: each its own, or one for all. */
int irq_each(void);
int irq_same(void);

void assert_alive(void);

#endif
