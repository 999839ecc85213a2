// SPDX-License-Identifier: GPL-2.0-only
/*
 * The events function of a connection: registers and interrupt. In the single layout, and in
 * revision 1, it is the whole connection; otherwise the kernel's component framework tells when the
 * memory function of the same connection is there too, and its doorbell if it has one, whichever of
 * them comes or goes first.
 */
#include <linux/component.h>
#include <linux/ctype.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "uio_crossvm.h"

int crossvm_bar_check(struct pci_dev *pdev, unsigned int bar, u64 bytes)
{
	resource_size_t start = pci_resource_start(pdev, bar);
	u64 length = pci_resource_len(pdev, bar);

	if (!(pci_resource_flags(pdev, bar) & IORESOURCE_MEM)) {
		dev_err(&pdev->dev, "BAR%u is not memory: the host is at fault\n", bar);
		return -ENODEV;
	}
	if (length < bytes || length < PAGE_SIZE || !PAGE_ALIGNED(start)) {
		dev_err(&pdev->dev, "BAR%u: %llu bytes at %pa; needed are %llu, in pages of %lu\n",
			bar, length, &start, bytes, PAGE_SIZE);
		return -ENODEV;
	}
	return 0;
}

static void read_name(struct crossvm_connection *conn)
{
	unsigned int i;

	for (i = 0; i < CROSSVM_NAME_BYTES; i += sizeof(__le32)) {
		__le32 word = cpu_to_le32(readl(conn->registers + CROSSVM_REG_NAME + i));

		memcpy(conn->name + i, &word, sizeof(word));
	}
	conn->name[CROSSVM_NAME_MAX] = '\0';
	if (!conn->name[0])
		strscpy(conn->name, "crossvm", sizeof(conn->name));

	/* It becomes the name of a file, in /dev and below /proc/irq. */
	for (i = 0; conn->name[i]; i++) {
		char c = conn->name[i];

		if (!(isascii(c) && isalnum(c)) && !(i && strchr("_.-", c)))
			conn->name[i] = '_';
	}
}

static int identify_extended(struct crossvm_connection *conn)
{
	struct device *dev = &conn->pdev->dev;
	u32 magic = readl(conn->registers + CROSSVM_REG_MAGIC);
	u32 version = readl(conn->registers + CROSSVM_REG_VERSION);
	u32 low, high;

	if (conn->pdev->class != CROSSVM_PCI_CLASS) {
		dev_err(dev, "class %06x, not %06x: not a crossvm device\n", conn->pdev->class,
			CROSSVM_PCI_CLASS);
		return -ENODEV;
	}
	if (magic != CROSSVM_ABI_MAGIC) {
		dev_err(dev, "magic %08x, not %08x: not a crossvm device, or its host has gone\n",
			magic, CROSSVM_ABI_MAGIC);
		return -ENODEV;
	}
	if (version != CROSSVM_ABI_VERSION) {
		dev_err(dev, "the device speaks version %u, this driver %u: update the %s\n",
			version, CROSSVM_ABI_VERSION,
			version > CROSSVM_ABI_VERSION ? "driver" : "host");
		return -ENODEV;
	}
	conn->connection_id = readl(conn->registers + CROSSVM_REG_CONNECTION_ID);
	if (!conn->connection_id) {
		dev_err(dev, "connection id 0: the host is at fault\n");
		return -ENODEV;
	}
	conn->member_id = readl(conn->registers + CROSSVM_REG_MEMBER_ID);
	conn->features = readl(conn->registers + CROSSVM_REG_FEATURES);
	conn->access = readl(conn->registers + CROSSVM_REG_ACCESS);
	conn->status_offset = readl(conn->registers + CROSSVM_REG_STATUS_OFFSET);
	if (!(conn->features & CROSSVM_FEATURE_DATAPORT))
		return 0;

	low = readl(conn->registers + CROSSVM_REG_DATAPORT_BYTES);
	high = readl(conn->registers + CROSSVM_REG_DATAPORT_BYTES + sizeof(low));
	conn->dataport_bytes = (u64)high << 32 | low;
	if (!conn->dataport_bytes || conn->dataport_bytes > CROSSVM_MAX_DATAPORT_BYTES) {
		dev_err(dev, "a dataport of %llu bytes: the host is at fault\n",
			conn->dataport_bytes);
		return -ENODEV;
	}
	return 0;
}

static int identify(struct crossvm_connection *conn)
{
	snprintf(conn->version, sizeof(conn->version), "%u", conn->revision);
	read_name(conn);
	if (conn->revision >= CROSSVM_PCI_REVISION)
		return identify_extended(conn);

	conn->access = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	conn->dataport_bytes = pci_resource_len(conn->pdev, CROSSVM_SINGLE_BAR_DATAPORT);
	if (conn->dataport_bytes)
		conn->features = CROSSVM_FEATURE_DATAPORT;
	return 0;
}

/* Find the status page and the dataport in this function. */
static int locate_single(struct crossvm_connection *conn)
{
	struct pci_dev *pdev = conn->pdev;
	int err;

	if (conn->status_offset) {
		err = crossvm_bar_check(pdev, CROSSVM_BAR_REGISTERS,
					(u64)conn->status_offset + CROSSVM_PAGE_BYTES);
		if (err)
			return err;
		conn->status_start =
			pci_resource_start(pdev, CROSSVM_BAR_REGISTERS) + conn->status_offset;
	}
	if (conn->dataport_bytes) {
		err = crossvm_bar_check(pdev, CROSSVM_SINGLE_BAR_DATAPORT, conn->dataport_bytes);
		if (err)
			return err;
		conn->dataport_start = pci_resource_start(pdev, CROSSVM_SINGLE_BAR_DATAPORT);
	}
	return 0;
}

/* A connection can be used without an interrupt, by those who look at its memory. */
static void choose_irq(struct crossvm_connection *conn)
{
	struct pci_dev *pdev = conn->pdev;

	pci_set_master(pdev);
	if (pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI) == 1) {
		conn->irq = CROSSVM_IRQ_MSI;
	} else if (pdev->irq && pdev->irq != IRQ_NOTCONNECTED) {
		conn->irq = CROSSVM_IRQ_INTX;
	} else {
		dev_warn(&pdev->dev, "no interrupt: nobody can wait for events\n");
		conn->irq = CROSSVM_IRQ_NONE;
	}
}

/*
 * Make the device let go of INTx: others may share the line, and an interrupt that nobody handles
 * keeps the processor busy until the kernel shuts the line.
 */
static void acknowledge(struct crossvm_connection *conn)
{
	u32 pending;

	if (conn->revision < CROSSVM_PCI_REVISION) {
		conn->missed = readl(conn->registers + CROSSVM_REG_EVENT_COUNT);
		writel(0, conn->registers + CROSSVM_REG_EVENT_COUNT);
		return;
	}
	if (readl(conn->registers + CROSSVM_REG_MAGIC) != CROSSVM_ABI_MAGIC)
		return;
	conn->missed = readl(conn->registers + CROSSVM_REG_EVENT_COUNT);
	pending = readl(conn->registers + CROSSVM_REG_PENDING);
	if (pending)
		writel(pending, conn->registers + CROSSVM_REG_PENDING);
}

/* Enabling a device switches its INTx on, and so does disabling MSI. */
static int enable_silently(struct crossvm_connection *conn)
{
	struct pci_dev *pdev = conn->pdev;
	u16 command;
	int err;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (command & PCI_COMMAND_MEMORY)
		acknowledge(conn);
	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	pci_intx(pdev, 0);
	/*
	 * Where somebody has enabled it through sysfs, the call above does nothing, and its power
	 * state may be unknown since its last driver left: then there would be no MSI.
	 */
	pci_set_power_state(pdev, PCI_D0);
	return 0;
}

static void disable_silently(struct crossvm_connection *conn)
{
	acknowledge(conn);
	pci_free_irq_vectors(conn->pdev);
	pci_intx(conn->pdev, 0);
	pci_disable_device(conn->pdev);
}

static int is_memory_function(struct device *dev, void *data)
{
	struct crossvm_connection *conn = data;
	struct pci_dev *pdev;

	if (crossvm_memory_connection_id(dev) != conn->connection_id)
		return 0;
	pdev = to_pci_dev(dev);
	return pdev->bus == conn->pdev->bus && PCI_SLOT(pdev->devfn) == PCI_SLOT(conn->pdev->devfn);
}

static int is_doorbell_function(struct device *dev, void *data)
{
	struct crossvm_connection *conn = data;

	return crossvm_doorbell_is_of(dev, conn->pdev);
}

/*
 * The functions of a slot are all there before any of them gets its driver. So where there is no
 * doorbell now, this VM has none, and the connection works without.
 */
static bool has_doorbell(struct crossvm_connection *conn)
{
	struct device *dev = &conn->pdev->dev;
	u32 members;

	if (!(conn->features & CROSSVM_FEATURE_DOORBELL) || !crossvm_doorbell_is_beside(conn->pdev))
		return false;
	members = readl(conn->registers + CROSSVM_REG_MEMBER_COUNT);
	if (members != CROSSVM_DOORBELL_MEMBERS || conn->member_id >= members) {
		dev_err(dev, "no doorbell is for member %u of %u: the host is at fault\n",
			conn->member_id, members);
		return false;
	}
	dev_info(dev, "connection %s waits for its doorbell\n", conn->name);
	return true;
}

static int pair_bind(struct device *dev)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);
	int err;

	err = component_bind_all(dev, conn);
	if (err)
		return err;
	err = crossvm_connection_start(conn);
	if (err)
		component_unbind_all(dev, conn);
	return err;
}

static void pair_unbind(struct device *dev)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);

	crossvm_connection_stop(conn);
	component_unbind_all(dev, conn);
}

static const struct component_master_ops pair_ops = {
	.bind = pair_bind,
	.unbind = pair_unbind,
};

static int start(struct crossvm_connection *conn)
{
	struct component_match *match = NULL;
	int err;

	if (crossvm_is_split(conn)) {
		component_match_add(&conn->pdev->dev, &match, is_memory_function, conn);
		if (has_doorbell(conn))
			component_match_add(&conn->pdev->dev, &match, is_doorbell_function, conn);
		return component_master_add_with_match(&conn->pdev->dev, &pair_ops, match);
	}
	err = locate_single(conn);
	if (err)
		return err;
	return crossvm_connection_start(conn);
}

static int events_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct crossvm_connection *conn;
	int err;

	conn = kzalloc(sizeof(*conn), GFP_KERNEL);
	if (!conn)
		return -ENOMEM;
	conn->pdev = pdev;
	conn->revision = pdev->revision;
	mutex_init(&conn->lock);
	spin_lock_init(&conn->notice_lock);
	INIT_LIST_HEAD(&conn->openers);
	pci_set_drvdata(pdev, conn);

	err = crossvm_bar_check(pdev, CROSSVM_BAR_REGISTERS, CROSSVM_PAGE_BYTES);
	if (err)
		goto free;
	err = pci_request_regions(pdev, KBUILD_MODNAME);
	if (err)
		goto free;
	/* Where the host has memory behind this, only a cached mapping is coherent with its own. */
	err = -ENOMEM;
	conn->registers =
		ioremap_cache(pci_resource_start(pdev, CROSSVM_BAR_REGISTERS), CROSSVM_PAGE_BYTES);
	if (!conn->registers)
		goto release;
	err = enable_silently(conn);
	if (err)
		goto unmap;
	err = identify(conn);
	if (err)
		goto disable;
	choose_irq(conn);
	/* Before the UIO device: who finds that finds these. */
	err = sysfs_create_group(&pdev->dev.kobj, &crossvm_attributes);
	if (err)
		goto disable;
	err = start(conn);
	if (err)
		goto remove_attributes;
	return 0;

remove_attributes:
	sysfs_remove_group(&pdev->dev.kobj, &crossvm_attributes);
disable:
	disable_silently(conn);
unmap:
	iounmap(conn->registers);
release:
	pci_release_regions(pdev);
free:
	kfree(conn);
	return err;
}

static void events_remove(struct pci_dev *pdev)
{
	struct crossvm_connection *conn = pci_get_drvdata(pdev);

	if (crossvm_is_split(conn))
		component_master_del(&pdev->dev, &pair_ops);
	else
		crossvm_connection_stop(conn);
	sysfs_remove_group(&pdev->dev.kobj, &crossvm_attributes);
	disable_silently(conn);
	iounmap(conn->registers);
	pci_release_regions(pdev);
	kfree(conn);
}

/*
 * Another kernel may start on this device without a reset (kexec). It must not find a line asserted
 * that it has no handler for yet, nor should peers take the processes of this one for alive.
 */
static void events_shutdown(struct pci_dev *pdev)
{
	crossvm_connection_quiet(pci_get_drvdata(pdev));
}

static void events_reset_done(struct pci_dev *pdev)
{
	crossvm_connection_recover(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers events_error_handlers = {
	.reset_done = events_reset_done,
};

static int __maybe_unused events_resume(struct device *dev)
{
	crossvm_connection_recover(dev_get_drvdata(dev));
	return 0;
}

static SIMPLE_DEV_PM_OPS(events_pm_ops, NULL, events_resume);

static const struct pci_device_id events_ids[] = {
	{PCI_DEVICE(CROSSVM_PCI_VENDOR, CROSSVM_PCI_DEVICE_EVENTS)}, {}};
MODULE_DEVICE_TABLE(pci, events_ids);

static struct pci_driver events_driver = {
	.name = KBUILD_MODNAME,
	.id_table = events_ids,
	.probe = events_probe,
	.remove = events_remove,
	.shutdown = events_shutdown,
	.err_handler = &events_error_handlers,
	.driver.pm = &events_pm_ops,
};

static int __init crossvm_init(void)
{
	int err;

	err = pci_register_driver(&crossvm_memory_driver);
	if (err)
		return err;
	err = pci_register_driver(&crossvm_doorbell_driver);
	if (err)
		goto unregister_memory;
	err = pci_register_driver(&events_driver);
	if (err)
		goto unregister_doorbell;
	return 0;

unregister_doorbell:
	pci_unregister_driver(&crossvm_doorbell_driver);
unregister_memory:
	pci_unregister_driver(&crossvm_memory_driver);
	return err;
}
module_init(crossvm_init);

static void __exit crossvm_exit(void)
{
	pci_unregister_driver(&events_driver);
	pci_unregister_driver(&crossvm_doorbell_driver);
	pci_unregister_driver(&crossvm_memory_driver);
}
module_exit(crossvm_exit);

MODULE_DESCRIPTION("Cross-VM connections: shared memory and events for user space");
MODULE_LICENSE("GPL");
