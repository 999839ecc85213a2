// SPDX-License-Identifier: BSD-2-Clause
/*
 * The i8259 pair, edge triggered: an injection is a pulse, which sets the request bit. It stays set
 * while the pin is masked or in service, until the guest takes the interrupt; more pulses add
 * nothing. The handlers are libsel4vm's, by pin and for all VMs together. Priorities and cascade do
 * not matter here.
 */
#include <stdlib.h>

#include <sel4vm/guest_irq_controller.h>

#include "fake.h"

#define PINS 16

struct fake_interrupts {
	bool requested[PINS];
	bool in_service[PINS];
	bool masked[PINS];
};

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

int vm_inject_irq(vm_vcpu_t *vcpu, int irq)
{
	if (irq < 0 || irq >= PINS)
		fake_die("the VMM asserts: no such pin");
	else
		vcpu->vm->interrupts->requested[irq] = true;
	return 0;
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
		pic->requested[i] = false;
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
