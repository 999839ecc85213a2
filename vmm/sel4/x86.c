// SPDX-License-Identifier: BSD-2-Clause
/* x86: libsel4vm's i8259, on which an injection is a pulse that stays requested until taken. */
#include <sel4vm/guest_irq_controller.h>

#include "vmm/sel4/internal.h"

static void forget_irq(vm_vcpu_t *vcpu, int irq)
{
	(void)vm_register_irq(vcpu, irq, NULL, NULL);
}

const struct sel4_arch sel4_arch = {
	.first_irq = 1, /* 0 is the timer's */
	.last_irq = 15,
	.no_irq = 2, /* the cascade */
	/* 32-bit BARs, above what every PC uses for itself. */
	.window_start = 0x100000,
	.window_last = 0xffffffff,
	.forget_irq = forget_irq,
};
