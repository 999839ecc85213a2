// SPDX-License-Identifier: BSD-2-Clause
/* x86: libsel4vm's i8259, and its decoder of instructions. */
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_vcpu_fault.h>

#include "vmm/sel4/internal.h"

#define REGISTER_ESP 4

/*
 * libsel4vm has this function and no header that says so. get_vcpu_fault_data() asks it for the
 * register that is stored, and then reads beyond a table if there is none (-1: the instruction holds
 * the value), or if it is the stack pointer.
 */
void vm_decode_ept_violation(vm_vcpu_t *vcpu, int *reg, seL4_Word *immediate, int *bytes);

/* The value in an instruction is of no use: libsel4vm takes just the last byte of it. */
static bool stored_value(vm_vcpu_t *vcpu, uint64_t *value)
{
	seL4_Word immediate = 0;
	int bytes = 0;
	int reg = -1;

	vm_decode_ept_violation(vcpu, &reg, &immediate, &bytes);
	if (reg < 0 || reg == REGISTER_ESP)
		return false;
	*value = get_vcpu_fault_data(vcpu);
	return true;
}

/*
 * The guest chooses whether a pin looks at edges or at levels. An edge sets a request that stays
 * until the guest takes it; a level is one as long as it lasts. vm_inject_irq() gives an edge and
 * takes the level back, so on a pin that looks at levels it does nothing.
 */
static void drive(vm_vcpu_t *vcpu, int irq, bool asserted)
{
	(void)vm_set_irq_level(vcpu, irq, 0);
	if (asserted)
		(void)vm_set_irq_level(vcpu, irq, 1);
}

static void forget_irq(vm_vcpu_t *vcpu, int irq)
{
	drive(vcpu, irq, false);
	(void)vm_register_irq(vcpu, irq, NULL, NULL);
}

const struct sel4_arch sel4_arch = {
	.first_irq = 1, /* 0 is the timer's */
	.last_irq = 15,
	.no_irq = 2, /* the cascade */
	/* 32-bit BARs, above what every PC uses for itself. */
	.window_start = 0x100000,
	.window_last = 0xffffffff,
	.has_levels = true,
	.drive = drive,
	.stored_value = stored_value,
	.forget_irq = forget_irq,
};
