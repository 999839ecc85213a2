// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where devices go in the guest's physical memory, if nobody but the VMM says so. PCI wants each BAR
 * aligned to its size. Placed by falling size, none of them leaves a gap behind.
 */
#include <errno.h>

#include "vmm/vmm.h"

#define BARS 6u

struct placement {
	uint64_t next; /* free from here on */
	bool full;     /* next would be 2^64 */
};

static int place_bar(struct placement *placement, struct crossvm_vmm_connection *c,
		     enum crossvm_function function, unsigned int bar, uint64_t bytes)
{
	struct crossvm_device_state *state = c->device.state;
	bool narrow = crossvm_platform.places_devices &&
		      !crossvm_device_bar_is_64bit(state, function, bar);
	uint64_t last = narrow ? UINT32_MAX : UINTPTR_MAX;
	uint64_t address = (placement->next + bytes - 1) & ~(bytes - 1);

	/* Aligned as it is, a BAR that begins below the limit ends below it too. */
	if (placement->full || address < placement->next || address > last) {
		crossvm_vmm_error(c,
				  "BAR%u of function %u, %llu bytes, finds no room from 0x%llx to "
				  "0x%llx: lower connection_base_addr or take smaller dataports",
				  bar, (unsigned int)function, (unsigned long long)bytes,
				  (unsigned long long)placement->next, (unsigned long long)last);
		return -ENOSPC;
	}
	if (crossvm_platform.places_devices)
		crossvm_device_bar_assign(state, function, bar, address);
	placement->next = address + bytes;
	placement->full = placement->next == 0;
	return 0;
}

/* Place all BARs of a connection that have just this size. */
static int place_size(struct placement *placement, struct crossvm_vmm_connection *c, uint64_t bytes)
{
	unsigned int functions = crossvm_device_function_count(c->device.state);

	for (unsigned int function = 0; function < functions; function++) {
		for (unsigned int bar = 0; bar < BARS; bar++) {
			int err;

			if (crossvm_device_bar_bytes(c->device.state, function, bar) != bytes)
				continue;
			err = place_bar(placement, c, function, bar, bytes);
			if (err)
				return err;
		}
	}
	return 0;
}

static void enable(struct crossvm_vmm_connection *c)
{
	unsigned int functions = crossvm_device_function_count(c->device.state);
	/* The register has a byte; guests without a use for it find 0xff, PCI's "unknown". */
	uint8_t line = c->irq <= UINT8_MAX ? (uint8_t)c->irq : UINT8_MAX;

	for (unsigned int function = 0; function < functions; function++)
		crossvm_device_enable(c->device.state, function, line);
}

int crossvm_vmm_place(struct crossvm_vmm *vmm, unsigned int first, uintptr_t base)
{
	struct placement placement = {.next = base};

	for (uint64_t bytes = CROSSVM_MAX_DATAPORT_BYTES; bytes >= CROSSVM_PAGE_BYTES;
	     bytes >>= 1) {
		for (unsigned int i = first; i < vmm->count; i++) {
			int err = place_size(&placement, vmm->connections[i], bytes);

			if (err)
				return err;
		}
	}
	if (!crossvm_platform.places_devices)
		return 0;
	for (unsigned int i = first; i < vmm->count; i++)
		enable(vmm->connections[i]);
	return 0;
}
