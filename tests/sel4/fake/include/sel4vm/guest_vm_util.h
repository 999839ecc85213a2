/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_SEL4VM_GUEST_VM_UTIL_H
#define FAKE_SEL4VM_GUEST_VM_UTIL_H

#include <sel4vm/guest_vm.h>

static inline vspace_t *vm_get_vspace(vm_t *vm)
{
	return &vm->mem.vm_vspace;
}

static inline vspace_t *vm_get_vmm_vspace(vm_t *vm)
{
	return &vm->mem.vmm_vspace;
}

#endif
