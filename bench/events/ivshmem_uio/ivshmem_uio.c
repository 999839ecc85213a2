// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt of QEMU's ivshmem-doorbell for user space, as bare as can be: a peer to measure
 * against. Registers and memory are mapped from sysfs. Debian's cloud kernel has no vfio-pci without
 * an IOMMU, which would do the same with an eventfd between.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uio_driver.h>

static irqreturn_t handle(int irq, struct uio_info *info)
{
	return IRQ_HANDLED;
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct uio_info *info;
	int err;

	info = devm_kzalloc(&pdev->dev, sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (err < 0)
		return err;
	info->name = KBUILD_MODNAME;
	info->version = "1";
	info->irq = pci_irq_vector(pdev, 0);
	info->handler = handle;
	return devm_uio_register_device(&pdev->dev, info);
}

static const struct pci_device_id ids[] = {{PCI_DEVICE(0x1af4, 0x1110)}, {}};
MODULE_DEVICE_TABLE(pci, ids);

/* Loaded once in a VM that is thrown away: there is no removal. */
static struct pci_driver ivshmem_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
	.driver.suppress_bind_attrs = true,
};
builtin_pci_driver(ivshmem_driver);

MODULE_DESCRIPTION("Interrupts of ivshmem-doorbell for user space, to measure against");
MODULE_LICENSE("GPL");
