/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_SEL4VM_GUEST_IRQ_CONTROLLER_H
#define FAKE_SEL4VM_GUEST_IRQ_CONTROLLER_H

#include <sel4vm/guest_vm.h>

typedef void (*irq_ack_fn_t)(vm_vcpu_t *vcpu, int irq, void *cookie);

int vm_inject_irq(vm_vcpu_t *vcpu, int irq);
int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie);
/* x86 only. */
int vm_set_irq_level(vm_vcpu_t *vcpu, int irq, int irq_level);
/* Arm only: what vm_run() calls at a GIC maintenance interrupt. */
int vm_vgic_maintenance_handler(vm_vcpu_t *vcpu);

#endif
