/* SPDX-License-Identifier: BSD-2-Clause */
/* Fake of libsel4vm: as much of a VM as vmm/sel4 touches, and what the fakes keep of it. */
#ifndef FAKE_SEL4VM_GUEST_VM_H
#define FAKE_SEL4VM_GUEST_VM_H

#include <sel4/sel4.h>
#include <sel4vm/guest_memory.h>
#include <vka/object.h>
#include <vspace/vspace.h>

struct fake_interrupts;

/* The access that trapped. */
struct fake_fault {
	uintptr_t address;
	size_t bytes;
	bool read;
	bool has_register; /* false: the value stands in the instruction */
	bool decodable;    /* false: libsel4vm asserts when it is looked at */
	seL4_Word data;
};

struct vm_vcpu {
	struct vm *vm;
	struct fake_fault fault;
};

struct vm {
	unsigned int num_vcpus;
	struct vm_vcpu *vcpus[1];
	struct {
		vspace_t vm_vspace;
		vspace_t vmm_vspace;
		struct vm_memory_reservation *reservations;
	} mem;
	vka_t *vka;
	struct fake_interrupts *interrupts;
};

#endif
