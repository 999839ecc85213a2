/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_SEL4VM_GUEST_VCPU_FAULT_H
#define FAKE_SEL4VM_GUEST_VCPU_FAULT_H

#include <sel4vm/guest_vm.h>

bool is_vcpu_read_fault(vm_vcpu_t *vcpu);
seL4_Word get_vcpu_fault_data(vm_vcpu_t *vcpu);
int set_vcpu_fault_data(vm_vcpu_t *vcpu, seL4_Word data);
void advance_vcpu_fault(vm_vcpu_t *vcpu);

#endif
