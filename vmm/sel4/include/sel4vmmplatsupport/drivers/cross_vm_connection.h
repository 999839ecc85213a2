/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place where seL4 VMMs look for the documented interface. Put this folder before
 * libsel4vmmplatsupport's own on the include path (our CMake target does) and their sources compile
 * as they are. The contracts are in <cross_vm_connection.h>.
 */
#ifndef CROSSVM_SEL4_CROSS_VM_CONNECTION_H
#define CROSSVM_SEL4_CROSS_VM_CONNECTION_H

#ifndef CROSSVM_PLATFORM_SEL4
#define CROSSVM_PLATFORM_SEL4
#endif

/* What the former header of this name brought along: callers may rely on it. */
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/virtio.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <pci/helper.h>

#include <cross_vm_connection.h>

#endif
