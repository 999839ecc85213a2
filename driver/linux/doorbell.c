// SPDX-License-Identifier: GPL-2.0-only
/*
 * The doorbell of a connection of two VMs: QEMU's ivshmem-doorbell, by which an event reaches the
 * other VM while nobody else runs. It is lent to the events function of the same connection
 * (events.c). Its registers belong to the host, its pages to the other VM as well: from there comes
 * nothing but a count, of which any value is taken.
 *
 * There are ivshmem devices for other purposes. They are not touched, and since a module is loaded
 * for the events function anyway, it is not for all of them either: there is no device table.
 */
#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/component.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/slab.h>

#include "uio_crossvm.h"

/* Whether the function that is some numbers away from pdev, in the same slot, is such a device. */
static bool is_beside(struct pci_dev *pdev, int distance, unsigned int vendor, unsigned int device,
		      unsigned int revision)
{
	int function = (int)PCI_FUNC(pdev->devfn) + distance;
	struct pci_dev *found;
	bool is;

	if (function < 0 || function > 7)
		return false;
	found = pci_get_slot(pdev->bus, PCI_DEVFN(PCI_SLOT(pdev->devfn), function));
	is = found && found->vendor == vendor && found->device == device &&
	     found->revision == revision;
	pci_dev_put(found);
	return is;
}

bool crossvm_doorbell_is_beside(struct pci_dev *events)
{
	return is_beside(events, CROSSVM_DOORBELL_FUNCTION, CROSSVM_DOORBELL_PCI_VENDOR,
			 CROSSVM_DOORBELL_PCI_DEVICE, CROSSVM_DOORBELL_PCI_REVISION);
}

bool crossvm_doorbell_is_of(struct device *dev, struct pci_dev *events)
{
	struct pci_dev *pdev;

	if (dev->driver != &crossvm_doorbell_driver.driver)
		return false;
	pdev = to_pci_dev(dev);
	return pdev->bus == events->bus && pdev->devfn == events->devfn + CROSSVM_DOORBELL_FUNCTION;
}

static bool is_heard(const struct crossvm_connection *conn)
{
	return crossvm_status_read64(&conn->status->listeners) >> !conn->member_id & 1;
}

/*
 * The barriers are those that are kept everywhere: smp_*() ones vanish in a guest that has only one
 * processor, while the other VM runs on another, and virt_*() ones are locked operations, which
 * QEMU carries out without the lock where it emulates a VM of one processor. So it does
 * atomic64_inc(), which is for the threads of this VM.
 *
 * The last one orders count and ring before the second look. Whom that finds listening has heard
 * the ring, or looks at the count when it begins to listen again.
 */
bool crossvm_doorbell_emit(struct crossvm_connection *conn)
{
	struct crossvm_doorbell *doorbell = conn->doorbell;

	if (!doorbell || !is_heard(conn))
		return false;
	mb(); /* what was stored to the dataport, before the count; the reader acquires that */
	atomic64_inc((atomic64_t *)&doorbell->pages[conn->member_id].emitted);
	mb(); /* the count, before the ring */
	writel(CROSSVM_DOORBELL_RING(doorbell->position),
	       doorbell->registers + CROSSVM_DOORBELL_REG_RING);
	mb(); /* both, before the second look */
	return is_heard(conn);
}

static int pair_bind(struct device *dev, struct device *master, void *data)
{
	struct crossvm_doorbell *doorbell = dev_get_drvdata(dev);
	struct crossvm_connection *conn = data;
	u32 position = CROSSVM_DOORBELL_POSITION(conn->connection_id, conn->member_id);
	resource_size_t pages, own;

	if (doorbell->position != position) {
		dev_warn(dev, "position %u, but member %u of connection %u has %u: not used\n",
			 doorbell->position, conn->member_id, conn->connection_id, position);
		return 0;
	}
	pages = pci_resource_start(doorbell->pdev, CROSSVM_DOORBELL_BAR_PAGES);
	own = pages + conn->member_id * CROSSVM_PAGE_BYTES;
	conn->doorbell_start = pages + (!conn->member_id) * CROSSVM_PAGE_BYTES;
	if (doorbell->rest) {
		conn->ring_start[CROSSVM_RING_EMITTED] = own;
		conn->ring_start[CROSSVM_RING_REGISTERS] =
			pci_resource_start(doorbell->pdev, CROSSVM_DOORBELL_BAR_REGISTERS);
	}
	WRITE_ONCE(conn->doorbell, doorbell);
	mutex_lock(&doorbell->lock);
	doorbell->connection = conn;
	mutex_unlock(&doorbell->lock);
	return 0;
}

static void pair_unbind(struct device *dev, struct device *master, void *data)
{
	struct crossvm_doorbell *doorbell = dev_get_drvdata(dev);
	struct crossvm_connection *conn = data;

	mutex_lock(&doorbell->lock);
	doorbell->connection = NULL;
	mutex_unlock(&doorbell->lock);
	WRITE_ONCE(conn->doorbell, NULL);
	conn->doorbell_start = 0;
	memset(conn->ring_start, 0, sizeof(conn->ring_start));
}

static const struct component_ops pair_ops = {
	.bind = pair_bind,
	.unbind = pair_unbind,
};

static int check_bars(struct pci_dev *pdev)
{
	u64 length = pci_resource_len(pdev, CROSSVM_DOORBELL_BAR_REGISTERS);

	if (!(pci_resource_flags(pdev, CROSSVM_DOORBELL_BAR_REGISTERS) & IORESOURCE_MEM) ||
	    length < CROSSVM_DOORBELL_REG_END) {
		dev_err(&pdev->dev, "BAR%u is not memory of %u bytes: the host is at fault\n",
			CROSSVM_DOORBELL_BAR_REGISTERS, CROSSVM_DOORBELL_REG_END);
		return -ENODEV;
	}
	return crossvm_bar_check(pdev, CROSSVM_DOORBELL_BAR_PAGES, CROSSVM_DOORBELL_BYTES);
}

static int map_bars(struct crossvm_doorbell *doorbell)
{
	struct pci_dev *pdev = doorbell->pdev;

	doorbell->registers = ioremap(pci_resource_start(pdev, CROSSVM_DOORBELL_BAR_REGISTERS),
				      pci_resource_len(pdev, CROSSVM_DOORBELL_BAR_REGISTERS));
	if (!doorbell->registers)
		return -ENOMEM;
	doorbell->pages = memremap(pci_resource_start(pdev, CROSSVM_DOORBELL_BAR_PAGES),
				   CROSSVM_DOORBELL_BYTES, MEMREMAP_WB);
	if (doorbell->pages)
		return 0;
	iounmap(doorbell->registers);
	return -ENOMEM;
}

static void unmap_bars(struct crossvm_doorbell *doorbell)
{
	memunmap(doorbell->pages);
	iounmap(doorbell->registers);
}

/*
 * Processes may ring by themselves where the registers have a page of their own: only whole pages
 * can be mapped. So that it stays theirs, what is left of it is taken, too, if nobody else has it.
 */
static void take_rest_of_page(struct crossvm_doorbell *doorbell)
{
	struct pci_dev *pdev = doorbell->pdev;
	resource_size_t start = pci_resource_start(pdev, CROSSVM_DOORBELL_BAR_REGISTERS);
	resource_size_t length = pci_resource_len(pdev, CROSSVM_DOORBELL_BAR_REGISTERS);

	if (PAGE_ALIGNED(start) && length < PAGE_SIZE)
		doorbell->rest =
			request_mem_region(start + length, PAGE_SIZE - length, KBUILD_MODNAME);
	if (!doorbell->rest)
		dev_info(&pdev->dev, "no page for the registers alone: an emit is a system call\n");
}

static void give_rest_of_page_back(struct crossvm_doorbell *doorbell)
{
	if (doorbell->rest)
		release_mem_region(doorbell->rest->start, resource_size(doorbell->rest));
}

static void allocate_irq(struct crossvm_doorbell *doorbell)
{
	struct pci_dev *pdev = doorbell->pdev;

	/* As in events.c: enabling says nothing of it where somebody has done so through sysfs. */
	pci_set_power_state(pdev, PCI_D0);
	pci_set_master(pdev);
	if (pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX) == 1)
		doorbell->irq = pci_irq_vector(pdev, 0);
	else
		dev_info(&pdev->dev, "no MSI-X: events come by way of the host\n");
}

static int doorbell_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct crossvm_doorbell *doorbell;
	int err;

	if (!is_beside(pdev, -(int)CROSSVM_DOORBELL_FUNCTION, CROSSVM_PCI_VENDOR,
		       CROSSVM_PCI_DEVICE_EVENTS, CROSSVM_PCI_REVISION))
		return -ENODEV;
	doorbell = kzalloc(sizeof(*doorbell), GFP_KERNEL);
	if (!doorbell)
		return -ENOMEM;
	doorbell->pdev = pdev;
	mutex_init(&doorbell->lock);
	pci_set_drvdata(pdev, doorbell);

	err = pci_enable_device_mem(pdev);
	if (err)
		goto free;
	err = pci_request_regions(pdev, KBUILD_MODNAME);
	if (err)
		goto disable;
	err = check_bars(pdev);
	if (err)
		goto release;
	err = map_bars(doorbell);
	if (err)
		goto release;
	take_rest_of_page(doorbell);
	doorbell->position = readl(doorbell->registers + CROSSVM_DOORBELL_REG_POSITION);
	allocate_irq(doorbell);
	err = component_add(&pdev->dev, &pair_ops);
	if (err)
		goto free_irq;
	return 0;

free_irq:
	pci_free_irq_vectors(pdev);
	give_rest_of_page_back(doorbell);
	unmap_bars(doorbell);
release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
free:
	kfree(doorbell);
	return err;
}

static void doorbell_remove(struct pci_dev *pdev)
{
	struct crossvm_doorbell *doorbell = pci_get_drvdata(pdev);

	component_del(&pdev->dev, &pair_ops);
	pci_free_irq_vectors(pdev);
	give_rest_of_page_back(doorbell);
	unmap_bars(doorbell);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	kfree(doorbell);
}

/* It may have been rung meanwhile, and nobody heard. */
static void recover(struct crossvm_doorbell *doorbell)
{
	mutex_lock(&doorbell->lock);
	if (doorbell->connection)
		crossvm_connection_recover(doorbell->connection);
	mutex_unlock(&doorbell->lock);
}

static void doorbell_reset_done(struct pci_dev *pdev)
{
	recover(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers doorbell_error_handlers = {
	.reset_done = doorbell_reset_done,
};

static int __maybe_unused doorbell_resume(struct device *dev)
{
	recover(dev_get_drvdata(dev));
	return 0;
}

static SIMPLE_DEV_PM_OPS(doorbell_pm_ops, NULL, doorbell_resume);

static const struct pci_device_id doorbell_ids[] = {
	{PCI_DEVICE(CROSSVM_DOORBELL_PCI_VENDOR, CROSSVM_DOORBELL_PCI_DEVICE)}, {}};

struct pci_driver crossvm_doorbell_driver = {
	.name = KBUILD_MODNAME "_doorbell",
	.id_table = doorbell_ids,
	.probe = doorbell_probe,
	.remove = doorbell_remove,
	.err_handler = &doorbell_error_handlers,
	.driver.pm = &doorbell_pm_ops,
};
