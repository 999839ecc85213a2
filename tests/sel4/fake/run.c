// SPDX-License-Identifier: BSD-2-Clause
/* vm_run(), as far as it is needed. A file of its own, as in libsel4vm, so that --wrap reaches it. */
#include <sel4vm/guest_irq_controller.h>

#include "fake.h"

void fake_vm_exit_maintenance(vm_t *vm)
{
	vm_vgic_maintenance_handler(vm->vcpus[0]);
}
