/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake libsel4vm that a VMM and a guest can be played on: the VMM's side has the real names (see
 * include/), the guest's side is here. It keeps to what the real one does where that matters to
 * cross-VM connections: reservations and what becomes of their frames, faults, the virtual GIC
 * with its pending rule, list registers and overflow queue (Arm), the i8259 (x86), the PCI space.
 * Every allocation can be made to fail. What would end the real VM or VMM sets fake_death().
 */
#ifndef FAKE_H
#define FAKE_H

#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

/* VMs. */
vm_t *fake_vm_make(void);
void fake_vm_free(vm_t *vm);
vmm_pci_space_t *fake_pci_make(void);
void fake_pci_free(vmm_pci_space_t *pci);

/* What would have ended the VM or the VMM, or NULL; forgets it. */
const char *fake_death(void);
void fake_die(const char *why);

/* The log since the last call. */
const char *fake_log_take(void);
unsigned int fake_log_lines(void);

/*
 * Allocations, of memory or capabilities or whatever can run out: let the one after `after` others
 * fail. Negative: none. Returns how many there have been since the last call.
 */
unsigned int fake_fail_allocation(int after);
bool fake_allocation_fails(void);

/* What is in use: slots, frames, reservations, mapped pages, PCI entries, blocks on the heap. */
struct fake_usage {
	int slots;
	int frames;
	int reservations;
	int mappings;
	int pci_entries;
	int blocks;
};

extern struct fake_usage fake_usage;

/* A frame as a component has it. */
seL4_CPtr fake_frame_make(size_t size_bits);
void fake_frame_free(seL4_CPtr frame);
void *fake_frame_memory(seL4_CPtr frame);

/* Map reservations at the guest's first access only, as one of libsel4vm's options does. */
void fake_defer_mappings(bool defer);

/* Guest memory: a mapping of a page as the guest finds it. */
struct fake_mapping {
	uintptr_t address;
	size_t size_bits;
	seL4_CPtr cap;
	seL4_CapRights_t rights;
	bool cacheable;
	bool booked; /* by libsel4utils, and not only in the page tables */
	struct fake_mapping *next;
};

const struct fake_mapping *fake_mapping_at(const vspace_t *vspace, uintptr_t address);
bool fake_map(vspace_t *vspace, uintptr_t address, seL4_CPtr cap, seL4_CapRights_t rights,
	      size_t size_bits, bool cacheable);

/* Guest loads and stores, through what is mapped, or trapping. */
uint64_t fake_guest_load(vm_t *vm, uintptr_t address, size_t bytes);
void fake_guest_store(vm_t *vm, uintptr_t address, uint64_t value, size_t bytes);
/* A store that libsel4vm cannot decode if it traps. */
void fake_guest_store_pair(vm_t *vm, uintptr_t address, uint64_t value);
/* A store of an immediate: there is no register with its value. */
void fake_guest_store_immediate(vm_t *vm, uintptr_t address, uint32_t value);
/* How many accesses have trapped since the last call. */
unsigned int fake_faults(void);

/* Config space. */
uint32_t fake_config_read(vmm_pci_space_t *pci, unsigned int device, int offset, int bytes);
void fake_config_write(vmm_pci_space_t *pci, unsigned int device, int offset, int bytes,
		       uint32_t value);

/* Interrupts, the guest's side. take returns the number, or -1. */
void fake_irq_enable(vm_t *vm, int irq);
void fake_irq_disable(vm_t *vm, int irq);
int fake_irq_take(vm_t *vm);
void fake_irq_eoi(vm_t *vm, int irq);
/* An interrupt of some other device. */
void fake_irq_other(vm_t *vm, int irq);
/* x86: a pin looks at its level from now on; the guest initialises the interrupt controller. */
void fake_pic_look_at_level(vm_t *vm, int irq);
void fake_pic_reset(vm_t *vm);
/* Whether a handler is registered. */
bool fake_irq_has_handler(vm_t *vm, int irq);
/* Numbers that a guest has: the first for connections, and how many follow it. */
extern const int fake_first_irq;
extern const int fake_irq_count;

/* Between the fakes. */
void fake_vm_exit_maintenance(vm_t *vm);
struct fake_interrupts *fake_interrupts_make(void);
void fake_interrupts_free(struct fake_interrupts *interrupts);

#endif
