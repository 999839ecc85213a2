// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtual GIC: an interrupt is injected only if it is enabled and not pending, and stays pending
 * until the guest's EOI. Four list registers hold what the guest can take; what finds none free
 * waits in the overflow queue. At an EOI the freed list register goes to the head of that queue,
 * after the acknowledge callback: should that callback have used it already, the VMM aborts.
 */
#include <stdlib.h>

#include <sel4vm/guest_irq_controller.h>

#include "fake.h"

#define IRQS        1020
#define HANDLERS    200
#define LIST_REGS   4
#define QUEUE_SLOTS 64

void __real_free(void *memory);

struct handler {
	int irq;
	irq_ack_fn_t ack;
	void *cookie;
};

struct list_reg {
	struct handler *shadow; /* libsel4vm's view */
	struct handler *loaded; /* the hardware's */
	bool active;
};

struct fake_interrupts {
	struct handler *handlers[HANDLERS];
	bool enabled[IRQS];
	bool pending[IRQS];
	struct list_reg list[LIST_REGS];
	struct handler *queue[QUEUE_SLOTS];
	unsigned int head;
	unsigned int tail;
	int maintenance; /* the list register that the guest has just emptied */
};

const int fake_first_irq = 60;
const int fake_irq_count = 60;

struct fake_interrupts *fake_interrupts_make(void)
{
	return calloc(1, sizeof(struct fake_interrupts));
}

void fake_interrupts_free(struct fake_interrupts *interrupts)
{
	for (int i = 0; i < HANDLERS; i++)
		__real_free(interrupts->handlers[i]);
	free(interrupts);
}

static struct handler *find_handler(struct fake_interrupts *vgic, int irq)
{
	for (int i = 0; i < HANDLERS; i++)
		if (vgic->handlers[i] && vgic->handlers[i]->irq == irq)
			return vgic->handlers[i];
	return NULL;
}

bool fake_irq_has_handler(vm_t *vm, int irq)
{
	return find_handler(vm->interrupts, irq) != NULL;
}

int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie)
{
	struct fake_interrupts *vgic = vcpu->vm->interrupts;
	struct handler *handler;

	for (int i = 0; i < HANDLERS; i++) {
		if (vgic->handlers[i])
			continue;
		if (fake_allocation_fails())
			return -1;
		handler = malloc(sizeof(*handler));
		*handler = (struct handler){.irq = irq, .ack = ack_fn, .cookie = cookie};
		vgic->handlers[i] = handler;
		return 0;
	}
	return -1;
}

static void load(struct fake_interrupts *vgic, int index, struct handler *handler)
{
	if (vgic->list[index].loaded)
		fake_die("the VMM aborts: the list register for an interrupt is in use");
	vgic->list[index] = (struct list_reg){.shadow = handler, .loaded = handler};
}

static struct handler *dequeue(struct fake_interrupts *vgic)
{
	struct handler *handler;

	if (vgic->head == vgic->tail)
		return NULL;
	handler = vgic->queue[vgic->head];
	vgic->head = (vgic->head + 1) % QUEUE_SLOTS;
	return handler;
}

static int free_list_reg(const struct fake_interrupts *vgic)
{
	for (int i = 0; i < LIST_REGS; i++)
		if (!vgic->list[i].shadow)
			return i;
	return -1;
}

int vm_inject_irq(vm_vcpu_t *vcpu, int irq)
{
	struct fake_interrupts *vgic = vcpu->vm->interrupts;
	struct handler *handler = find_handler(vgic, irq);
	int index;

	if (irq < 0 || irq >= IRQS) {
		fake_die("an interrupt outside of the distributor is injected");
		return -1;
	}
	if (!handler || !vgic->enabled[irq])
		return -1;
	if (vgic->pending[irq])
		return 0;
	vgic->pending[irq] = true;
	if ((vgic->tail + 1) % QUEUE_SLOTS == vgic->head) {
		fake_die("the VMM aborts: the overflow queue is full");
		return -1;
	}
	vgic->queue[vgic->tail] = handler;
	vgic->tail = (vgic->tail + 1) % QUEUE_SLOTS;
	index = free_list_reg(vgic);
	if (index >= 0)
		load(vgic, index, dequeue(vgic));
	return 0;
}

int vm_vgic_maintenance_handler(vm_vcpu_t *vcpu)
{
	struct fake_interrupts *vgic = vcpu->vm->interrupts;
	int index = vgic->maintenance;
	struct handler *handler = vgic->list[index].shadow;
	struct handler *next;

	vgic->list[index].shadow = NULL;
	vgic->pending[handler->irq] = false;
	handler->ack(vcpu, handler->irq, handler->cookie);
	next = dequeue(vgic);
	if (next)
		load(vgic, index, next);
	return 0;
}

void fake_irq_enable(vm_t *vm, int irq)
{
	struct handler *handler = find_handler(vm->interrupts, irq);

	vm->interrupts->enabled[irq] = true;
	if (handler && !vm->interrupts->pending[irq])
		handler->ack(vm->vcpus[0], irq, handler->cookie);
}

void fake_irq_disable(vm_t *vm, int irq)
{
	vm->interrupts->enabled[irq] = false;
}

int fake_irq_take(vm_t *vm)
{
	struct list_reg *list = vm->interrupts->list;

	for (int i = 0; i < LIST_REGS; i++) {
		if (!list[i].loaded || list[i].active)
			continue;
		list[i].active = true;
		return list[i].loaded->irq;
	}
	return -1;
}

void fake_irq_eoi(vm_t *vm, int irq)
{
	struct list_reg *list = vm->interrupts->list;

	for (int i = 0; i < LIST_REGS; i++) {
		if (!list[i].active || list[i].loaded->irq != irq)
			continue;
		list[i].active = false;
		list[i].loaded = NULL;
		vm->interrupts->maintenance = i;
		fake_vm_exit_maintenance(vm);
		return;
	}
}

static void ignore(vm_vcpu_t *vcpu, int irq, void *cookie)
{
	(void)vcpu;
	(void)irq;
	(void)cookie;
}

void fake_irq_other(vm_t *vm, int irq)
{
	if (!find_handler(vm->interrupts, irq))
		vm_register_irq(vm->vcpus[0], irq, ignore, NULL);
	fake_irq_enable(vm, irq);
	vm_inject_irq(vm->vcpus[0], irq);
}
