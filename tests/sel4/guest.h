/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest: Linux as it assigns BARs, and the interrupt handlers of the drivers that bind to our
 * device, the one of revision 1 and ours.
 */
#ifndef GUEST_H
#define GUEST_H

#include "machine.h"

enum guest_driver_kind {
	GUEST_DRIVER_OLD, /* reads the count, writes 0 */
	GUEST_DRIVER_OURS /* reads PENDING, the status page's total, and writes PENDING */
};

struct guest_driver {
	struct machine *m;
	enum guest_driver_kind kind;
	unsigned int slot;
	int irq;
	uintptr_t registers;
	uintptr_t dataport; /* 0: none */
	size_t dataport_bytes;
	uint64_t events;
	unsigned int handled;
	unsigned int unhandled;
};

/* The BARs' addresses and sizes, as Linux finds them: with decoding off meanwhile. */
uintptr_t guest_bar(struct machine *m, unsigned int slot, unsigned int bar);
size_t guest_bar_bytes(struct machine *m, unsigned int slot, unsigned int bar);
/* Assign all BARs anew, by falling size from base on, one after the other with decoding on. */
void guest_assign(struct machine *m, unsigned int devices, uintptr_t base);

/* Bind to the device in a slot, without enabling its interrupt. */
struct guest_driver guest_probe(struct machine *m, unsigned int slot, enum guest_driver_kind kind);
/* The interrupt handler. Returns whether it had something to do. */
bool guest_handle(struct guest_driver *driver);
/* Take and handle interrupts until there are none. Returns how many. */
unsigned int guest_run(struct guest_driver *drivers, unsigned int count);

#endif
