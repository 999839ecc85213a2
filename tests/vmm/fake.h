/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A platform for tests of the core. It lets any step fail and knows what has not been given back.
 * Built twice: as a host with firmware (split layout, MSI), and with FAKE_PLACES as one without
 * (single layout, mirror, addresses from the core).
 */
#ifndef TESTS_VMM_FAKE_H
#define TESTS_VMM_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/platform.h"

#define FAKE_VMS      3u
#define FAKE_MAX_IRQ  255
#define FAKE_MESSAGES 8192u

struct crossvm_vm {
	struct crossvm_vmm *vmm;
	/* By index; NULL where none is installed. */
	struct crossvm_vmm_connection *installed[CROSSVM_MAX_CONNECTIONS];
};

struct crossvm_pci_space {
	int unused;
};

struct fake {
	struct crossvm_vm vms[FAKE_VMS];
	struct crossvm_pci_space pci;
	/* The step that fails, counted from 1; 0: none. */
	unsigned int fail_at;
	unsigned int steps;
	/* What was taken and not given back. */
	size_t allocations;
	unsigned int created;
	unsigned int installed;
	/* What was heard. */
	unsigned int errors;
	char error[FAKE_MESSAGES]; /* the last */
	struct crossvm_vmm_connection *interrupted;
	unsigned int interrupts;
	unsigned int interrupt_changes;
	unsigned int removals;
	unsigned int last_removed;
	int next_irq;
};

extern struct fake fake;

/* cmocka set-up and teardown of each test: all new; nothing may be left over. */
int fake_start(void **state);
int fake_end(void **state);

/* Numbers 32, 33, ... */
int fake_alloc_irq(void);
int fake_alloc_same_irq(void);

/* The installed connection of a VM by number. */
struct crossvm_vmm_connection *fake_connection(unsigned int vm, unsigned int index);

/* Options of an event-only connection with this id. */
struct crossvm_connection_options fake_options(seL4_Word consume_id);

/* crossvm_connections_init() on VM 0 with one connection. */
int fake_init_one(const struct crossvm_connection_options *options);

#endif
