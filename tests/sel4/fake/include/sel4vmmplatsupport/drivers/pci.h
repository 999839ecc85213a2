/* SPDX-License-Identifier: BSD-2-Clause */
/* Fake of libsel4vmmplatsupport: the PCI space. */
#ifndef FAKE_SEL4VMMPLATSUPPORT_PCI_H
#define FAKE_SEL4VMMPLATSUPPORT_PCI_H

#include <stdint.h>

typedef struct vmm_pci_address {
	uint8_t bus;
	uint8_t dev;
	uint8_t fun;
} vmm_pci_address_t;

typedef struct vmm_pci_entry {
	void *cookie;
	int (*ioread)(void *cookie, int offset, int size, uint32_t *result);
	int (*iowrite)(void *cookie, int offset, int size, uint32_t value);
} vmm_pci_entry_t;

typedef struct vmm_pci_space {
	vmm_pci_entry_t *bus0[32][8];
	uint32_t conf_port_addr;
} vmm_pci_space_t;

int vmm_pci_init(vmm_pci_space_t **space);
int vmm_pci_add_entry(vmm_pci_space_t *space, vmm_pci_entry_t entry, vmm_pci_address_t *addr);

#endif
