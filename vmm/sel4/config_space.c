// SPDX-License-Identifier: BSD-2-Clause
/* The device in libsel4vmmplatsupport's PCI space. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/sel4/internal.h"

#define PCI_COMMAND     0x04
#define PCI_COMMAND_END 0x06
#define PCI_BARS        0x10
#define PCI_BARS_END    0x28

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

static bool is_full(const vmm_pci_space_t *pci)
{
	for (unsigned int i = 0; i < sizeof(pci->bus0) / sizeof(pci->bus0[0]); i++)
		if (!pci->bus0[i][0])
			return false;
	return true;
}

int sel4_config_space_add(struct sel4_connection *c)
{
	vmm_pci_space_t *pci = c->connection->pci;
	vmm_pci_entry_t entry = {
		.cookie = c,
		.ioread = config_read,
		.iowrite = config_write,
	};

	if (is_full(pci)) {
		crossvm_vmm_error(
			c->connection,
			"the VM's PCI space has no free slot: it takes 31 devices in all");
		return -ENOSPC;
	}
	if (vmm_pci_add_entry(pci, entry, &c->pci_address)) {
		crossvm_vmm_error(c->connection, "no memory for its entry in the PCI space");
		return -ENOMEM;
	}
	c->in_pci_space = true;
	return 0;
}

void sel4_config_space_remove(struct sel4_connection *c)
{
	vmm_pci_entry_t **slot = &c->connection->pci->bus0[c->pci_address.dev][c->pci_address.fun];

	if (!c->in_pci_space)
		return;
	/* There is no call to take an entry out: vmm_pci_add_entry() has put it on the heap. */
	free(*slot);
	*slot = NULL;
	c->in_pci_space = false;
}
