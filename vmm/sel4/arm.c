// SPDX-License-Identifier: BSD-2-Clause
/* Arm: the virtual GIC of libsel4vm, and the PCI window of libsel4vmmplatsupport. */
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_vcpu_fault.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/plat/vpci.h>

#include "vmm/sel4/internal.h"

/*
 * libsel4vm handles a GIC maintenance interrupt (the guest's EOI) in this function. The linker puts
 * __wrap_ in its place (--wrap, which our CMake target asks for), so that we have the moment right
 * after it, when the list registers are in order again and an interrupt can be injected whatever
 * the overflow queue holds. Nothing else would bring the VMM back to us before the next event.
 */
int __real_vm_vgic_maintenance_handler(vm_vcpu_t *vcpu);
int __wrap_vm_vgic_maintenance_handler(vm_vcpu_t *vcpu);

int __wrap_vm_vgic_maintenance_handler(vm_vcpu_t *vcpu)
{
	struct sel4_vm *record = sel4_vm_find(vcpu->vm);
	int result;

	if (!record)
		return __real_vm_vgic_maintenance_handler(vcpu);
	record->in_maintenance = true;
	result = __real_vm_vgic_maintenance_handler(vcpu);
	record->in_maintenance = false;
	if (record->replay)
		sel4_lines_replay(record);
	return result;
}

/* An error says that the guest has disabled it: enabling it calls acknowledged() in lines.c. */
static void drive(vm_vcpu_t *vcpu, int irq, bool asserted)
{
	if (asserted)
		(void)vm_inject_irq(vcpu, irq);
}

/* Had it no register, libsel4vm would have ended the VM before. */
static bool stored_value(vm_vcpu_t *vcpu, uint64_t *value)
{
	*value = get_vcpu_fault_data(vcpu);
	return true;
}

/* There is no such call; the handler stays and finds no line of that number. */
static void forget_irq(vm_vcpu_t *vcpu, int irq)
{
	(void)vcpu;
	(void)irq;
}

const struct sel4_arch sel4_arch = {
	/* A shared peripheral interrupt; the device tree takes its number from an 8-bit register. */
	.first_irq = 32,
	.last_irq = 255,
	.no_irq = -1,
	.window_start = PCI_MEM_REGION_ADDR,
	.window_last = PCI_MEM_REGION_ADDR + PCI_MEM_REGION_SIZE - 1,
	.drive = drive,
	.stored_value = stored_value,
	.forget_irq = forget_irq,
};
