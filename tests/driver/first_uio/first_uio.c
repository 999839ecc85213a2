// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that asks of the device what drivers of its first revision ask, and no more: BARs up to
 * the first that is empty are maps, cached and in the size of the BAR; the interrupt is INTx, on a
 * line that others may share; whether it is the device's, and that it has been seen, goes through the
 * count register. Only for testing.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uio_driver.h>

#include <crossvm/abi.h>

struct first_device {
	struct uio_info uio;
	u8 __iomem *registers;
	u32 name[CROSSVM_NAME_BYTES / sizeof(u32)];
};

static irqreturn_t handle(int irq, struct uio_info *uio)
{
	struct first_device *first = container_of(uio, struct first_device, uio);

	if (!readl(first->registers + CROSSVM_REG_EVENT_COUNT))
		return IRQ_NONE;
	writel(0, first->registers + CROSSVM_REG_EVENT_COUNT);
	return IRQ_HANDLED;
}

static void describe_maps(struct first_device *first, struct pci_dev *pdev)
{
	int bar;

	for (bar = 0; bar < MAX_UIO_MAPS && pci_resource_len(pdev, bar); bar++) {
		first->uio.mem[bar].addr = pci_resource_start(pdev, bar);
		first->uio.mem[bar].size = pci_resource_len(pdev, bar);
		first->uio.mem[bar].memtype = UIO_MEM_IOVA;
	}
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct first_device *first = devm_kzalloc(&pdev->dev, sizeof(*first), GFP_KERNEL);
	int i, err;

	if (!first)
		return -ENOMEM;
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	first->registers = devm_ioremap(&pdev->dev, pci_resource_start(pdev, CROSSVM_BAR_REGISTERS),
					CROSSVM_PAGE_BYTES);
	if (!first->registers)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(first->name); i++)
		first->name[i] = readl(first->registers + CROSSVM_REG_NAME + i * sizeof(u32));
	describe_maps(first, pdev);
	first->uio.name = (const char *)first->name;
	first->uio.version = "first";
	first->uio.irq = pdev->irq;
	first->uio.irq_flags = IRQF_SHARED;
	first->uio.handler = handle;
	return devm_uio_register_device(&pdev->dev, &first->uio);
}

static const struct pci_device_id ids[] = {
	{PCI_DEVICE(CROSSVM_PCI_VENDOR, CROSSVM_PCI_DEVICE_EVENTS)}, {}};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver first_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
};
module_pci_driver(first_driver);

MODULE_DESCRIPTION("What drivers of the first cross-VM device ask of it, for testing");
MODULE_LICENSE("GPL");
