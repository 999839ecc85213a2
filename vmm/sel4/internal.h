/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of vmm/sel4 share. They may include libsel4vm, libsel4vmmplatsupport, vmm/ and
 * device/, and nothing else of the tree.
 *
 * Threads: everything runs in the VM's thread (the one that calls vm_run(), and init and destroy),
 * but for platform.get and platform.interrupt, which may run in any.
 */
#ifndef CROSSVM_VMM_SEL4_INTERNAL_H
#define CROSSVM_VMM_SEL4_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>
#include <vka/object.h>

#include "vmm/platform.h"

#define SEL4_PAGE_BITS  12u
#define SEL4_BARS       2u /* of the single layout */
#define SEL4_PARTS      2u /* of a BAR */
#define SEL4_NOT_PLACED UINTPTR_MAX

/* A page that the VMM and the guest both see. */
struct sel4_page {
	vka_object_t frame; /* the VMM's */
	seL4_CPtr guest;    /* a copy for the guest's mapping */
	void *memory;       /* in the VMM */
};

struct sel4_connection;

/*
 * A stretch of a BAR that has frames of one size. Newer versions of libsel4vm map nothing else in one
 * reservation.
 */
struct sel4_part {
	size_t offset; /* in the BAR */
	size_t bytes;  /* 0: there is none */
	vm_memory_reservation_t *reservation;
};

/*
 * One frame that fills a stretch of a BAR, mapped over and over. Each mapping needs a copy of its
 * capability.
 */
struct sel4_filler {
	size_t offset; /* in the BAR */
	size_t bits;   /* of the frame's size */
	vka_object_t frame;
	seL4_CPtr *copies; /* NULL: there is nothing to fill */
	size_t count;
};

/*
 * One BAR. The guest may move it, and while Linux moves several they overlap for a while, so a BAR
 * can be without a place.
 */
struct sel4_bar {
	struct sel4_connection *owner;
	unsigned int number;
	size_t bytes;     /* 0: the device has no such BAR */
	uintptr_t placed; /* guest-physical address, or SEL4_NOT_PLACED */
	struct sel4_part parts[SEL4_PARTS];
};

/* An interrupt line: one number, and the connections of the VM that share it. */
struct sel4_line {
	int irq;
	bool replay; /* look at it again when the interrupt controller is in order */
	struct sel4_connection *connections;
	struct sel4_line *next;
};

/* The platform's part of a connection. */
struct sel4_connection {
	struct crossvm_vmm_connection *connection;
	struct sel4_vm *vm;
	struct crossvm_device_state state;
	struct sel4_page registers; /* the mirror */
	struct sel4_page status;
	struct sel4_bar bars[SEL4_BARS];
	/*
	 * What lies behind the dataport up to the BAR's power of two, so that nothing which a guest
	 * process can map ends the VM: first in frames of the dataport's size, then in large ones.
	 */
	struct sel4_filler fillers[SEL4_PARTS];
	vmm_pci_entry_t **pci_entry; /* its place in the PCI space, or NULL */
	bool told_of_read_only;
	struct sel4_line *line;
	struct sel4_connection *next_on_line;
	struct sel4_connection *next; /* of the VM */
};

/*
 * A VM's record. vm_t has no room for us, so there is a list of these, found by address. Records
 * are reused and never freed, so that a thread which looks for another VM's can walk the list.
 */
struct sel4_vm {
	_Atomic(vm_t *) vm; /* NULL: free */
	_Atomic(struct crossvm_vmm *) vmm;
	struct sel4_connection *connections; /* those installed */
	struct sel4_line *lines;
	bool in_maintenance; /* libsel4vm is in the middle of changing its interrupt controller */
	bool replay;         /* some line's replay is set */
	struct sel4_vm *next;
};

/* vms.c */
struct sel4_vm *sel4_vm_find(const vm_t *vm);
/* Find or make; NULL where there is no memory. */
struct sel4_vm *sel4_vm_claim(vm_t *vm);
struct sel4_vm *sel4_vm_nth(unsigned int n);

/* pages.c */
int sel4_page_make(vm_t *vm, struct sel4_page *page);
void sel4_page_free(vm_t *vm, struct sel4_page *page);
/* Copy a frame's capability so that it can be mapped once more. Returns 0 or -ENOMEM. */
int sel4_frame_copy(vm_t *vm, seL4_CPtr frame, seL4_CPtr *copy);
void sel4_frame_forget(vm_t *vm, seL4_CPtr copy);

/* bars.c */
int sel4_bars_create(struct sel4_connection *c);
void sel4_bars_destroy(struct sel4_connection *c);
/* Map every BAR of the VM where the guest wants it, as far as that can be done. */
void sel4_bars_settle(struct sel4_vm *record);
/* Whether all BARs of a connection are mapped. */
bool sel4_bars_are_placed(const struct sel4_connection *c);
void sel4_bars_unplace(struct sel4_connection *c);

/* faults.c: a write to the registers, or to a dataport that may only be read. */
memory_fault_result_t sel4_bar_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t bytes,
				     void *cookie);

/* config_space.c */
int sel4_config_space_add(struct sel4_connection *c);
void sel4_config_space_remove(struct sel4_connection *c);

/* lines.c */
int sel4_line_join(struct sel4_connection *c);
void sel4_line_leave(struct sel4_connection *c);
/* Let the line follow a change of this connection's level. In the VM's thread. */
void sel4_line_update(struct sel4_connection *c);
/* The same for all lines that were put off. */
void sel4_lines_replay(struct sel4_vm *record);

/* What Arm and x86 differ in: arm.c, x86.c. */
struct sel4_arch {
	/* Interrupt numbers that a guest can be given. */
	int first_irq;
	int last_irq;
	int no_irq; /* one in between that is taken, or -1 */
	/* Where BARs may stand. */
	uintptr_t window_start;
	uintptr_t window_last; /* the last byte */
	bool has_levels;       /* a line can be lowered, and must be */
	/* Assert or deassert a line, as far as the interrupt controller knows levels. */
	void (*drive)(vm_vcpu_t *vcpu, int irq, bool asserted);
	/* What a store that trapped stores; false where libsel4vm cannot tell. */
	bool (*stored_value)(vm_vcpu_t *vcpu, uint64_t *value);
	/* Withdraw the handler of an interrupt, where libsel4vm can. */
	void (*forget_irq)(vm_vcpu_t *vcpu, int irq);
};

extern const struct sel4_arch sel4_arch;

#endif
