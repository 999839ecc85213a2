/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_SEL4VM_GUEST_VCPU_FAULT_H
#define FAKE_SEL4VM_GUEST_VCPU_FAULT_H

#include <sel4vm/guest_vm.h>

seL4_Word get_vcpu_fault_data(vm_vcpu_t *vcpu);

#endif
