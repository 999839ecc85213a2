// SPDX-License-Identifier: GPL-2.0-only
/*
 * A complete connection: its UIO device, interrupt and control register.
 *
 * A change of peers raises the same interrupt as an event; the status page tells the two apart
 * without a trap. Programs of the first interface take each wake-up for an event. Only those that
 * map the status page can see what woke them: while one of them has the device open, a change of
 * peers wakes readers too. And only those that map the doorbell's page count what comes that way:
 * while none of them has the device open, the other VM is told that nobody listens.
 */
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "uio_crossvm.h"

struct opener {
	struct list_head link;
	struct inode *inode; /* of the device file; there may be several for one device */
};

/* Wake readers if anything is new since the last time. */
static void notice(struct crossvm_connection *conn)
{
	unsigned long flags;
	u32 events, generation;
	bool wake;

	if (!conn->status) {
		uio_event_notify(&conn->info);
		return;
	}
	spin_lock_irqsave(&conn->notice_lock, flags);
	/* The low half tells as much: between two interrupts there are fewer than 2^32 events. */
	events = crossvm_status_read((u32 *)&conn->status->total_events);
	generation = crossvm_status_read(&conn->status->generation);
	wake = events != conn->noticed_events;
	if (READ_ONCE(conn->wake_for_peers))
		wake |= generation != conn->noticed_generation;
	conn->noticed_events = events;
	conn->noticed_generation = generation;
	spin_unlock_irqrestore(&conn->notice_lock, flags);

	if (wake)
		uio_event_notify(&conn->info);
}

/* No register is touched: each access would be a trap. */
static irqreturn_t handle_msi(int irq, void *data)
{
	notice(data);
	return IRQ_HANDLED;
}

/*
 * Each ring wakes, whether or not it goes with an event: who listens can tell, and to look at two
 * pages first takes an emulated guest longer than all else here.
 */
static irqreturn_t handle_doorbell(int irq, void *data)
{
	struct crossvm_connection *conn = data;

	uio_event_notify(&conn->info);
	return IRQ_HANDLED;
}

static irqreturn_t handle_intx(int irq, void *data)
{
	struct crossvm_connection *conn = data;
	u32 pending = readl(conn->registers + CROSSVM_REG_PENDING);

	/* All ones: the device has gone. */
	if (!pending || pending == ~0u)
		return IRQ_NONE;
	writel(pending, conn->registers + CROSSVM_REG_PENDING);
	notice(conn);
	return IRQ_HANDLED;
}

static irqreturn_t handle_intx_revision_1(int irq, void *data)
{
	struct crossvm_connection *conn = data;
	u32 count = readl(conn->registers + CROSSVM_REG_EVENT_COUNT);

	if (!count || count == ~0u)
		return IRQ_NONE;
	writel(0, conn->registers + CROSSVM_REG_EVENT_COUNT);
	notice(conn);
	return IRQ_HANDLED;
}

static int request_own_interrupt(struct crossvm_connection *conn)
{
	irq_handler_t handler = handle_intx;
	int err;

	if (conn->irq == CROSSVM_IRQ_NONE)
		return 0;
	if (conn->irq == CROSSVM_IRQ_MSI)
		handler = handle_msi;
	else if (conn->revision < CROSSVM_PCI_REVISION)
		handler = handle_intx_revision_1;
	err = request_irq(pci_irq_vector(conn->pdev, 0), handler,
			  conn->irq == CROSSVM_IRQ_INTX ? IRQF_SHARED : 0, conn->name, conn);
	if (!err && conn->irq == CROSSVM_IRQ_INTX)
		pci_intx(conn->pdev, 1);
	return err;
}

static void free_own_interrupt(struct crossvm_connection *conn)
{
	if (conn->irq == CROSSVM_IRQ_NONE)
		return;
	if (conn->irq == CROSSVM_IRQ_INTX)
		pci_intx(conn->pdev, 0);
	free_irq(pci_irq_vector(conn->pdev, 0), conn);
}

/* Events of both kinds wake the same readers, or there are none. */
static bool takes_from_doorbell(const struct crossvm_connection *conn)
{
	return conn->irq != CROSSVM_IRQ_NONE && conn->doorbell && conn->doorbell->irq;
}

static int request_interrupts(struct crossvm_connection *conn)
{
	int err;

	err = request_own_interrupt(conn);
	if (err || !takes_from_doorbell(conn))
		return err;
	snprintf(conn->doorbell_irq_name, sizeof(conn->doorbell_irq_name), "%s-doorbell",
		 conn->name);
	err = request_irq(conn->doorbell->irq, handle_doorbell, 0, conn->doorbell_irq_name, conn);
	if (err)
		free_own_interrupt(conn);
	return err;
}

static void free_interrupts(struct crossvm_connection *conn)
{
	if (takes_from_doorbell(conn))
		free_irq(conn->doorbell->irq, conn);
	free_own_interrupt(conn);
}

static void write_control(struct crossvm_connection *conn)
{
	u32 control = 0;

	lockdep_assert_held(&conn->lock);
	if (conn->revision < CROSSVM_PCI_REVISION)
		return;
	if (conn->running) {
		if (conn->features & CROSSVM_FEATURE_PEERS)
			control |= CROSSVM_CONTROL_PEER_CHANGES;
		if (!list_empty(&conn->openers))
			control |= CROSSVM_CONTROL_OPEN;
		if (takes_from_doorbell(conn) && conn->wake_for_doorbell)
			control |= CROSSVM_CONTROL_DOORBELL;
	}
	writel(control, conn->registers + CROSSVM_REG_CONTROL);
	/*
	 * The write is posted; a read waits for it, so that who opens finds itself open, and who
	 * has the doorbell is rung from now on, or no longer.
	 */
	readl(conn->registers + CROSSVM_REG_CONTROL);
}

void crossvm_connection_listen(struct crossvm_connection *conn)
{
	mutex_lock(&conn->lock);
	if (!conn->wake_for_doorbell) {
		conn->wake_for_doorbell = true;
		write_control(conn);
	}
	mutex_unlock(&conn->lock);
}

static void set_running(struct crossvm_connection *conn, bool running)
{
	mutex_lock(&conn->lock);
	conn->running = running;
	write_control(conn);
	mutex_unlock(&conn->lock);
}

/* Events from before the interrupt was there, or while it was not, had none. */
static void catch_up(struct crossvm_connection *conn)
{
	if (conn->status || conn->missed || readl(conn->registers + CROSSVM_REG_EVENT_COUNT))
		notice(conn);
	/* Who is woken for nothing sleeps again. */
	if (conn->doorbell)
		uio_event_notify(&conn->info);
	conn->missed = false;
}

void crossvm_connection_recover(struct crossvm_connection *conn)
{
	mutex_lock(&conn->lock);
	if (conn->running) {
		write_control(conn);
		catch_up(conn);
	}
	mutex_unlock(&conn->lock);
}

/* UIO calls open and release for each file, and none of them any more once unregistered. */
static int open_file(struct uio_info *info, struct inode *inode)
{
	struct crossvm_connection *conn = crossvm_connection_of(info);
	struct opener *opener;
	bool first;

	opener = kmalloc(sizeof(*opener), GFP_KERNEL);
	if (!opener)
		return -ENOMEM;
	ihold(inode);
	opener->inode = inode;

	mutex_lock(&conn->lock);
	first = list_empty(&conn->openers);
	list_add(&opener->link, &conn->openers);
	if (first)
		write_control(conn);
	mutex_unlock(&conn->lock);
	return 0;
}

static int release_file(struct uio_info *info, struct inode *inode)
{
	struct crossvm_connection *conn = crossvm_connection_of(info);
	struct opener *opener;

	mutex_lock(&conn->lock);
	list_for_each_entry(opener, &conn->openers, link) {
		if (opener->inode == inode)
			break;
	}
	list_del(&opener->link);
	if (list_empty(&conn->openers)) {
		WRITE_ONCE(conn->wake_for_peers, false);
		conn->wake_for_doorbell = false;
		write_control(conn);
	}
	mutex_unlock(&conn->lock);

	kfree(opener);
	iput(inode);
	return 0;
}

/* A write to the device file; all of them, one after the other. */
static int control_irq(struct uio_info *info, s32 value)
{
	struct crossvm_connection *conn = crossvm_connection_of(info);

	if (value != CROSSVM_UIO_EMIT)
		return -EINVAL;
	if (crossvm_doorbell_emit(conn))
		return 0;
	/* After what was stored to the dataport. */
	writel(1, conn->registers + CROSSVM_REG_EMIT);
	return 0;
}

static void revoke_files(struct crossvm_connection *conn)
{
	struct opener *opener, *next;

	list_for_each_entry_safe(opener, next, &conn->openers, link) {
		crossvm_mapping_revoke(opener->inode);
		list_del(&opener->link);
		iput(opener->inode);
		kfree(opener);
	}
}

static int map_status(struct crossvm_connection *conn)
{
	conn->noticed_events = 0;
	conn->noticed_generation = 0;
	conn->wake_for_peers = false;
	conn->wake_for_doorbell = false;
	if (!conn->status_start)
		return 0;
	conn->status = memremap(conn->status_start, CROSSVM_PAGE_BYTES, MEMREMAP_WB);
	return conn->status ? 0 : -ENOMEM;
}

static void unmap_status(struct crossvm_connection *conn)
{
	if (conn->status)
		memunmap(conn->status);
	conn->status = NULL;
}

int crossvm_connection_start(struct crossvm_connection *conn)
{
	struct uio_info *info = &conn->info;
	int err;

	err = map_status(conn);
	if (err)
		return err;
	memset(info, 0, sizeof(*info));
	info->name = conn->name;
	info->version = conn->version;
	info->irq = conn->irq == CROSSVM_IRQ_NONE ? UIO_IRQ_NONE : UIO_IRQ_CUSTOM;
	info->open = open_file;
	info->release = release_file;
	info->irqcontrol = control_irq;
	crossvm_mapping_setup(conn);
	err = uio_register_device(&conn->pdev->dev, info);
	if (err)
		goto revoke;
	err = request_interrupts(conn);
	if (err)
		goto unregister;
	set_running(conn, true);
	catch_up(conn);
	dev_info(&conn->pdev->dev, "connection %s: dataport of %llu bytes, access %s, irq %s%s\n",
		 conn->name, conn->dataport_bytes, crossvm_access_name(conn),
		 crossvm_irq_name(conn), conn->doorbell ? ", doorbell" : "");
	return 0;

unregister:
	uio_unregister_device(info);
revoke:
	revoke_files(conn);
	unmap_status(conn);
	return err;
}

void crossvm_connection_stop(struct crossvm_connection *conn)
{
	set_running(conn, false);
	free_interrupts(conn);
	uio_unregister_device(&conn->info);
	revoke_files(conn);
	unmap_status(conn);
}

void crossvm_connection_quiet(struct crossvm_connection *conn)
{
	set_running(conn, false);
	if (conn->irq == CROSSVM_IRQ_INTX)
		pci_intx(conn->pdev, 0);
}
