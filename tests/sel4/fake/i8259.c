// SPDX-License-Identifier: BSD-2-Clause
/*
 * The i8259 pair. A pin that looks at edges sets the request bit at one. It stays set while the pin
 * is masked or in service, until the guest takes the interrupt; more edges add nothing. On a pin
 * that looks at levels, the request is the level. An injection is a pulse. The handlers are
 * libsel4vm's, by pin and for all VMs together. Priorities and cascade do not matter here.
 *
 * And what libsel4vm's decoder says of the store that trapped.
 */
#include <stdlib.h>

#include <sel4vm/guest_irq_controller.h>

#include "fake.h"

#define PINS 16

struct fake_interrupts {
	bool requested[PINS];
	bool in_service[PINS];
	bool masked[PINS];
	bool level[PINS];
	bool looks_at_level[PINS];
};

/* In the real one no header has it, and vmm/sel4 declares it for itself. */
void vm_decode_ept_violation(vm_vcpu_t *vcpu, int *reg, seL4_Word *immediate, int *bytes);

static struct {
	irq_ack_fn_t ack;
	void *cookie;
} handlers[PINS];

const int fake_first_irq = 3;
const int fake_irq_count = 13;

struct fake_interrupts *fake_interrupts_make(void)
{
	struct fake_interrupts *pic = calloc(1, sizeof(*pic));

	for (int i = 0; i < PINS; i++)
		pic->masked[i] = true;
	return pic;
}

void fake_interrupts_free(struct fake_interrupts *interrupts)
{
	free(interrupts);
}

bool fake_irq_has_handler(vm_t *vm, int irq)
{
	(void)vm;
	return handlers[irq].ack != NULL;
}

int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie)
{
	(void)vcpu;
	if (irq < 0 || irq >= PINS || (ack_fn && fake_allocation_fails()))
		return -1;
	handlers[irq].ack = ack_fn;
	handlers[irq].cookie = cookie;
	return 0;
}

int vm_set_irq_level(vm_vcpu_t *vcpu, int irq, int irq_level)
{
	struct fake_interrupts *pic = vcpu->vm->interrupts;

	if (irq < 0 || irq >= PINS) {
		fake_die("the VMM asserts: no such pin");
		return 0;
	}
	if (pic->looks_at_level[irq])
		pic->requested[irq] = irq_level != 0;
	else if (irq_level && !pic->level[irq])
		pic->requested[irq] = true;
	pic->level[irq] = irq_level != 0;
	return pic->masked[irq] ? -1 : 0;
}

int vm_inject_irq(vm_vcpu_t *vcpu, int irq)
{
	vm_set_irq_level(vcpu, irq, 1);
	vm_set_irq_level(vcpu, irq, 0);
	return 0;
}

/* The guest's driver of the i8259 begins with a reset, which drops what is requested of edges. */
void fake_pic_reset(vm_t *vm)
{
	struct fake_interrupts *pic = vm->interrupts;

	for (int i = 0; i < PINS; i++) {
		bool edge = pic->requested[i] && !pic->looks_at_level[i];

		pic->level[i] = false;
		pic->masked[i] = false;
		pic->requested[i] = pic->requested[i] && !edge;
		if (edge)
			fake_irq_eoi(vm, i);
		pic->masked[i] = true;
	}
}

void fake_pic_look_at_level(vm_t *vm, int irq)
{
	vm->interrupts->looks_at_level[irq] = true;
}

void vm_decode_ept_violation(vm_vcpu_t *vcpu, int *reg, seL4_Word *immediate, int *bytes)
{
	*reg = vcpu->fault.has_register ? 0 : -1;
	*immediate = 0;
	*bytes = (int)vcpu->fault.bytes;
}

void fake_irq_enable(vm_t *vm, int irq)
{
	vm->interrupts->masked[irq] = false;
}

void fake_irq_disable(vm_t *vm, int irq)
{
	vm->interrupts->masked[irq] = true;
}

int fake_irq_take(vm_t *vm)
{
	struct fake_interrupts *pic = vm->interrupts;

	for (int i = 0; i < PINS; i++) {
		if (!pic->requested[i] || pic->masked[i] || pic->in_service[i])
			continue;
		pic->requested[i] = pic->looks_at_level[i];
		pic->in_service[i] = true;
		return i;
	}
	return -1;
}

void fake_irq_eoi(vm_t *vm, int irq)
{
	vm->interrupts->in_service[irq] = false;
	if (handlers[irq].ack)
		handlers[irq].ack(vm->vcpus[0], irq, handlers[irq].cookie);
}

void fake_irq_other(vm_t *vm, int irq)
{
	fake_irq_enable(vm, irq);
	vm_inject_irq(vm->vcpus[0], irq);
}
