/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_SEL4VM_GUEST_MEMORY_H
#define FAKE_SEL4VM_GUEST_MEMORY_H

#include <sel4/sel4.h>

typedef struct vm vm_t;
typedef struct vm_vcpu vm_vcpu_t;

typedef struct vm_frame {
	seL4_CPtr cptr;
	seL4_CapRights_t rights;
	uintptr_t vaddr;
	size_t size_bits;
} vm_frame_t;

typedef enum memory_fault_result {
	FAULT_HANDLED,
	FAULT_UNHANDLED,
	FAULT_RESTART,
	FAULT_IGNORE,
	FAULT_ERROR
} memory_fault_result_t;

typedef memory_fault_result_t (*memory_fault_callback_fn)(vm_t *vm, vm_vcpu_t *vcpu,
							  uintptr_t fault_addr, size_t fault_length,
							  void *cookie);
typedef vm_frame_t (*memory_map_iterator_fn)(uintptr_t addr, void *cookie);
typedef struct vm_memory_reservation vm_memory_reservation_t;

vm_memory_reservation_t *vm_reserve_memory_at(vm_t *vm, uintptr_t addr, size_t size,
					      memory_fault_callback_fn fault_callback,
					      void *cookie);
int vm_free_reserved_memory(vm_t *vm, vm_memory_reservation_t *reservation);
int vm_map_reservation(vm_t *vm, vm_memory_reservation_t *reservation,
		       memory_map_iterator_fn map_iterator, void *cookie);

#endif
