/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an Arm platform has its PCI memory: as on qemu-arm-virt. */
#ifndef FAKE_SEL4VMMPLATSUPPORT_PLAT_VPCI_H
#define FAKE_SEL4VMMPLATSUPPORT_PLAT_VPCI_H

#define PCI_MEM_REGION_ADDR 0xDF000000ull
#define PCI_MEM_REGION_SIZE 0x1000000

#endif
