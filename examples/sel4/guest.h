/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest, apart from its connections: memory, a serial port, Linux, the device tree. */
#ifndef EXAMPLE_GUEST_H
#define EXAMPLE_GUEST_H

#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include "environment.h"

struct guest {
	struct environment *env;
	vm_t vm;
	vmm_pci_space_t *pci;
	seL4_CPtr serial_irq;
};

/* Make a VM with memory, a vCPU, the board's serial port and an empty PCI bus. */
void guest_make(struct guest *guest, struct environment *env);
/* Give the serial port's interrupt to the guest: its badge has come in. */
void guest_serial_interrupt(struct guest *guest);
/* Load Linux and start it. The PCI bus is complete by now: the device tree lists it. */
void guest_start(struct guest *guest);

/* Badges: vCPUs have the numbers from 1, so ours are high. */
#define SERIAL_BADGE (1ul << 16)

#endif
