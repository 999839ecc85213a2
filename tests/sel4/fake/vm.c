// SPDX-License-Identifier: BSD-2-Clause
/* VMs and their PCI spaces. */
#include <stdlib.h>

#include "fake.h"

static vka_t allocator;

vm_t *fake_vm_make(void)
{
	vm_t *vm = calloc(1, sizeof(*vm));

	vm->vka = &allocator;
	vm->num_vcpus = 1;
	vm->vcpus[0] = calloc(1, sizeof(*vm->vcpus[0]));
	vm->vcpus[0]->vm = vm;
	vm->interrupts = fake_interrupts_make();
	return vm;
}

void fake_vm_free(vm_t *vm)
{
	fake_interrupts_free(vm->interrupts);
	free(vm->vcpus[0]);
	free(vm);
}

static int bridge_read(void *cookie, int offset, int size, uint32_t *result)
{
	(void)cookie;
	(void)offset;
	(void)size;
	*result = 0;
	return 0;
}

static int bridge_write(void *cookie, int offset, int size, uint32_t value)
{
	(void)cookie;
	(void)offset;
	(void)size;
	(void)value;
	return 0;
}

int vmm_pci_init(vmm_pci_space_t **space)
{
	vmm_pci_entry_t bridge = {.ioread = bridge_read, .iowrite = bridge_write};

	*space = calloc(1, sizeof(**space));
	return vmm_pci_add_entry(*space, bridge, NULL);
}

int vmm_pci_add_entry(vmm_pci_space_t *space, vmm_pci_entry_t entry, vmm_pci_address_t *addr)
{
	for (uint8_t i = 0; i < 32; i++) {
		if (space->bus0[i][0])
			continue;
		space->bus0[i][0] = calloc(1, sizeof(entry));
		if (!space->bus0[i][0]) {
			fake_die("libsel4vmmplatsupport writes to NULL");
			return -1;
		}
		*space->bus0[i][0] = entry;
		if (addr)
			*addr = (vmm_pci_address_t){.dev = i};
		return 0;
	}
	return -1;
}

vmm_pci_space_t *fake_pci_make(void)
{
	vmm_pci_space_t *pci = NULL;

	if (vmm_pci_init(&pci))
		fake_die("no memory for a PCI space");
	return pci;
}

void fake_pci_free(vmm_pci_space_t *pci)
{
	free(pci->bus0[0][0]);
	free(pci);
}

uint32_t fake_config_read(vmm_pci_space_t *pci, unsigned int device, int offset, int bytes)
{
	vmm_pci_entry_t *entry = pci->bus0[device][0];
	uint32_t value = UINT32_MAX;

	if (entry && entry->ioread(entry->cookie, offset, bytes, &value))
		fake_die("a read of config space fails");
	return value;
}

void fake_config_write(vmm_pci_space_t *pci, unsigned int device, int offset, int bytes,
		       uint32_t value)
{
	vmm_pci_entry_t *entry = pci->bus0[device][0];

	if (entry && entry->iowrite(entry->cookie, offset, bytes, value))
		fake_die("a write to config space fails");
}
