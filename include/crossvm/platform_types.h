/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types of the documented interface that a platform brings: vm_t, vmm_pci_space_t, seL4_Word,
 * seL4_CPtr. The build defines CROSSVM_PLATFORM_SEL4 for seL4.
 */
#ifndef CROSSVM_PLATFORM_TYPES_H
#define CROSSVM_PLATFORM_TYPES_H

#ifdef CROSSVM_PLATFORM_SEL4
#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>
#else
#include <stdint.h>

typedef uintptr_t seL4_Word;
typedef uintptr_t seL4_CPtr;
typedef struct crossvm_vm vm_t;
typedef struct crossvm_pci_space vmm_pci_space_t;
#endif

#endif
