// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory function of a connection: status page and dataport. It lends them to the events
 * function of the same connection (events.c), which does everything with them.
 */
#include <linux/component.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "uio_crossvm.h"

struct crossvm_memory {
	struct pci_dev *pdev;
	u32 connection_id;
};

u32 crossvm_memory_connection_id(struct device *dev)
{
	struct crossvm_memory *memory;

	if (dev->driver != &crossvm_memory_driver.driver)
		return 0;
	memory = dev_get_drvdata(dev);
	return memory->connection_id;
}

static int identify(struct crossvm_memory *memory)
{
	struct device *dev = &memory->pdev->dev;
	const struct crossvm_status_page *status;
	u32 magic, version;

	status = memremap(pci_resource_start(memory->pdev, CROSSVM_BAR_STATUS), CROSSVM_PAGE_BYTES,
			  MEMREMAP_WB);
	if (!status)
		return -ENOMEM;
	magic = crossvm_status_read(&status->magic);
	version = crossvm_status_read(&status->version);
	memory->connection_id = crossvm_status_read(&status->connection_id);
	memunmap((void *)status);

	if (memory->pdev->class != CROSSVM_PCI_CLASS || magic != CROSSVM_ABI_MAGIC) {
		dev_err(dev, "class %06x, magic %08x: not a crossvm device, or its host has gone\n",
			memory->pdev->class, magic);
		return -ENODEV;
	}
	if (version != CROSSVM_ABI_VERSION || !memory->connection_id) {
		dev_err(dev, "version %u of connection %u is none that this driver knows\n",
			version, memory->connection_id);
		return -ENODEV;
	}
	return 0;
}

static int pair_bind(struct device *dev, struct device *master, void *data)
{
	struct crossvm_memory *memory = dev_get_drvdata(dev);
	struct crossvm_connection *conn = data;
	struct pci_dev *pdev = memory->pdev;
	int err;

	conn->status_start = pci_resource_start(pdev, CROSSVM_BAR_STATUS);
	if (!conn->dataport_bytes)
		return 0;
	err = crossvm_bar_check(pdev, CROSSVM_BAR_DATAPORT, conn->dataport_bytes);
	if (err)
		return err;
	conn->dataport_start = pci_resource_start(pdev, CROSSVM_BAR_DATAPORT);
	return 0;
}

static const struct component_ops pair_ops = {
	.bind = pair_bind,
};

static int memory_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct crossvm_memory *memory;
	int err;

	memory = kzalloc(sizeof(*memory), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	memory->pdev = pdev;
	pci_set_drvdata(pdev, memory);

	err = pci_enable_device_mem(pdev);
	if (err)
		goto free;
	err = pci_request_regions(pdev, KBUILD_MODNAME);
	if (err)
		goto disable;
	err = crossvm_bar_check(pdev, CROSSVM_BAR_STATUS, CROSSVM_PAGE_BYTES);
	if (err)
		goto release;
	err = identify(memory);
	if (err)
		goto release;
	err = component_add(&pdev->dev, &pair_ops);
	if (err)
		goto release;
	return 0;

release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
free:
	kfree(memory);
	return err;
}

static void memory_remove(struct pci_dev *pdev)
{
	component_del(&pdev->dev, &pair_ops);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	kfree(pci_get_drvdata(pdev));
}

static const struct pci_device_id memory_ids[] = {
	{PCI_DEVICE(CROSSVM_PCI_VENDOR, CROSSVM_PCI_DEVICE_MEMORY)}, {}};
MODULE_DEVICE_TABLE(pci, memory_ids);

struct pci_driver crossvm_memory_driver = {
	.name = KBUILD_MODNAME "_memory",
	.id_table = memory_ids,
	.probe = memory_probe,
	.remove = memory_remove,
};
