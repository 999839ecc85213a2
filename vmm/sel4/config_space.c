// SPDX-License-Identifier: BSD-2-Clause
/* The device in libsel4vmmplatsupport's PCI space. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/sel4/internal.h"

#define PCI_COMMAND     0x04
#define PCI_COMMAND_END 0x06
#define PCI_BARS        0x10
#define PCI_BARS_END    0x28
#define PCI_DEVICES     32

/* A guest can make libsel4vmmplatsupport pass any width: four bytes fit the value. */
static size_t clamp(int size)
{
	if (size < 0)
		return 0;
	return size < 4 ? (size_t)size : 4;
}

static int config_read(void *cookie, int offset, int size, uint32_t *result)
{
	struct sel4_connection *c = cookie;

	*result = 0;
	if (offset >= 0)
		crossvm_device_config_read(&c->connection->device, CROSSVM_FUNCTION_EVENTS,
					   (uint32_t)offset, result, clamp(size));
	return 0;
}

static bool overlaps(int offset, size_t bytes, int start, int end)
{
	return offset < end && offset + (int)bytes > start;
}

static int config_write(void *cookie, int offset, int size, uint32_t value)
{
	struct sel4_connection *c = cookie;
	size_t bytes = clamp(size);

	if (offset < 0 || offset >= (int)CROSSVM_CONFIG_BYTES)
		return 0;
	crossvm_device_config_write(&c->connection->device, CROSSVM_FUNCTION_EVENTS,
				    (uint32_t)offset, &value, bytes);
	/* What cannot be placed now, as while Linux moves one BAR over another, may be later. */
	if (overlaps(offset, bytes, PCI_COMMAND, PCI_COMMAND_END) ||
	    overlaps(offset, bytes, PCI_BARS, PCI_BARS_END))
		sel4_bars_settle(c->vm);
	return 0;
}

/* The first device without a function, where vmm_pci_add_entry() would put one too; -1 if none. */
static int free_device(const vmm_pci_space_t *pci)
{
	for (int i = 0; i < PCI_DEVICES; i++)
		if (!pci->bus0[i][0])
			return i;
	return -1;
}

/*
 * Without vmm_pci_add_entry(), which writes to NULL when there is no memory, and has no counterpart
 * that would take the entry out again.
 */
int sel4_config_space_add(struct sel4_connection *c)
{
	vmm_pci_space_t *pci = c->connection->pci;
	int device = free_device(pci);
	vmm_pci_entry_t *entry;

	if (device < 0) {
		crossvm_vmm_error(
			c->connection,
			"the VM's PCI space has no free slot: it takes 31 devices in all");
		return -ENOSPC;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry) {
		crossvm_vmm_error(c->connection, "no memory for its entry in the PCI space");
		return -ENOMEM;
	}
	*entry = (vmm_pci_entry_t){
		.cookie = c,
		.ioread = config_read,
		.iowrite = config_write,
	};
	pci->bus0[device][0] = entry;
	c->pci_entry = &pci->bus0[device][0];
	return 0;
}

void sel4_config_space_remove(struct sel4_connection *c)
{
	if (!c->pci_entry)
		return;
	free(*c->pci_entry);
	*c->pci_entry = NULL;
	c->pci_entry = NULL;
}
