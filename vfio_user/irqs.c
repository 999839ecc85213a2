/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts: eventfds that the client gives us to write to.
 *
 * INTx as VFIO has it: we write once when the line is asserted and then hold it masked; the client
 * unmasks, by message or through a descriptor, when the guest has ended the interrupt, and if the
 * line is still asserted we write again. So no event between a handler's last look and the end of
 * interrupt is lost.
 *
 * Order, for a process that is killed in between: first the write, then what says that it was done.
 * An interrupt too many does no harm.
 */
#include "vfio_user/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Repeating it with the same descriptor does no harm. */
static void replace(int *slot, int fd, const struct vfio_user_device *device)
{
	if (*slot != fd)
		closing_take(device->owner.closing, slot, device->owner.id);
	*slot = fd;
	atomic_signal_fence(memory_order_seq_cst);
}

static void fire(int *slot, const struct vfio_user_device *device)
{
	static const uint64_t one = 1;

	if (*slot < 0 || write(*slot, &one, sizeof(one)) == (ssize_t)sizeof(one))
		return;
	/*
	 * It can only fail if the client has filled it, to its own harm. A client that has made it
	 * blocking as well has held us up until a signal came: it gets no more interrupts by it.
	 */
	if (errno != EINTR)
		return;
	replace(slot, -1, device);
	device->ops->held_up(device->context);
}

void vfio_user_intx_changed(struct vfio_user_session *session,
			    const struct vfio_user_device *device)
{
	if (session->intx < 0 || session->intx_masked || !device->ops->intx_level(device->context))
		return;
	fire(&session->intx, device);
	atomic_signal_fence(memory_order_seq_cst);
	session->intx_masked = true;
}

void vfio_user_interrupt(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	if (session->msi >= 0)
		fire(&session->msi, device);
	else
		vfio_user_intx_changed(session, device);
}

static void set_masked(struct vfio_user_session *session, const struct vfio_user_device *device,
		       bool masked)
{
	session->intx_masked = masked;
	vfio_user_intx_changed(session, device);
}

static void act_on_unmask(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	if (!session->unmasked)
		return;
	set_masked(session, device, false);
	atomic_signal_fence(memory_order_seq_cst);
	session->unmasked = 0;
}

/*
 * Whether the descriptor can be written to without ever running somebody else's code: an eventfd, and
 * from now on not blocking, unless the client changes that.
 */
static bool is_usable(const struct vfio_user_device *device, int fd)
{
	int flags;

	if (!device->ops->is_eventfd(device->context, fd))
		return false;
	flags = fcntl(fd, F_GETFL);
	return flags >= 0 && !fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void replace_unmask(struct vfio_user_session *session, const struct vfio_user_device *device,
			   int fd)
{
	const struct vfio_user_ops *ops = device->ops;

	/* The client has the descriptor too, so closing ours alone would not end the watch. */
	if (session->unmask >= 0)
		ops->watch(device->context, session->unmask, false);
	replace(&session->unmask, fd, device);
	if (fd >= 0)
		ops->watch(device->context, fd, true);
}

void vfio_user_unmask(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	if (session->unmask < 0)
		return;
	/* The kernel stores into the session what it takes away: nothing is lost on the way. */
	if (read(session->unmask, &session->unmasked, sizeof(session->unmasked)) > 0) {
		act_on_unmask(session, device);
		return;
	}
	/* As in fire(): a client that empties it and has made it blocking has held us up. */
	if (errno != EINTR)
		return;
	replace_unmask(session, device, -1);
	device->ops->held_up(device->context);
}

void vfio_user_forget_irqs(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	replace(&session->msi, -1, device);
	replace(&session->intx, -1, device);
	replace_unmask(session, device, -1);
	session->intx_masked = false;
	session->unmasked = 0;
}

void vfio_user_resume_irqs(struct vfio_user_session *session, const struct vfio_user_device *device)
{
	if (device->owner.closing) {
		closing_forget(device->owner.closing, &session->msi);
		closing_forget(device->owner.closing, &session->intx);
		closing_forget(device->owner.closing, &session->unmask);
	}
	if (session->unmask >= 0)
		device->ops->watch(device->context, session->unmask, true);
	act_on_unmask(session, device);
}

static int set_trigger(struct vfio_user_command *command, uint32_t index, int fd)
{
	struct vfio_user_session *session = command->session;
	const struct vfio_user_device *device = command->device;

	if (index == VFIO_PCI_MSI_IRQ_INDEX) {
		replace(&session->msi, fd, device);
		/* What came before the guest was ready must not wait for the next event. */
		if (device->ops->pending(device->context))
			fire(&session->msi, device);
		return 0;
	}
	replace(&session->intx, fd, device);
	set_masked(session, device, false);
	return 0;
}

static int set_eventfd(struct vfio_user_command *command, const struct vfio_irq_set *set)
{
	const struct wire_message *message = command->message;
	const bool intx = set->index == VFIO_PCI_INTX_IRQ_INDEX;
	const uint32_t action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	int fd = -1;

	if (message->num_fds > 1 || set->count != 1)
		return -EINVAL;
	if (action != VFIO_IRQ_SET_ACTION_TRIGGER &&
	    !(action == VFIO_IRQ_SET_ACTION_UNMASK && intx))
		return -ENOTSUP;
	if (message->num_fds) {
		fd = message->fds[0];
		if (!command->device->ops->may_interrupt(command->device->context))
			return -EPERM;
		if (!is_usable(command->device, fd))
			return -EINVAL;
		command->message->kept = 1;
	}
	if (action == VFIO_IRQ_SET_ACTION_TRIGGER)
		return set_trigger(command, set->index, fd);
	replace_unmask(command->session, command->device, fd);
	return 0;
}

static void disable(struct vfio_user_command *command, uint32_t index)
{
	if (index == VFIO_PCI_MSI_IRQ_INDEX) {
		replace(&command->session->msi, -1, command->device);
	} else if (index == VFIO_PCI_INTX_IRQ_INDEX) {
		replace(&command->session->intx, -1, command->device);
		replace_unmask(command->session, command->device, -1);
		command->session->intx_masked = false;
	}
}

/* Carry out an action now, on the index's one interrupt. */
static int act(struct vfio_user_command *command, const struct vfio_irq_set *set)
{
	struct vfio_user_session *session = command->session;
	const bool intx = set->index == VFIO_PCI_INTX_IRQ_INDEX;

	switch (set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		fire(intx ? &session->intx : &session->msi, command->device);
		return 0;
	case VFIO_IRQ_SET_ACTION_MASK:
	case VFIO_IRQ_SET_ACTION_UNMASK:
		if (!intx)
			return -ENOTSUP;
		set_masked(session, command->device, (set->flags & VFIO_IRQ_SET_ACTION_MASK) != 0);
		return 0;
	default:
		return -EINVAL;
	}
}

/* How many interrupts an index has. */
static uint32_t irq_count(const struct vfio_user_device *device, uint32_t index)
{
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		return device->intx;
	return index == VFIO_PCI_MSI_IRQ_INDEX ? device->msi : 0;
}

int vfio_user_do_set_irqs(struct vfio_user_command *command)
{
	const size_t data_bytes = command->payload_bytes - sizeof(struct vfio_irq_set);
	const uint32_t known = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
	struct vfio_irq_set set;
	uint32_t data;

	memcpy(&set, command->payload, sizeof(set));
	data = set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	if (set.argsz < sizeof(set) || set.flags & ~known || set.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	if (data != VFIO_IRQ_SET_DATA_EVENTFD && command->message->num_fds)
		return -EINVAL;
	if (!set.count && !set.start &&
	    set.flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)) {
		disable(command, set.index);
		return 0;
	}
	if (set.start || set.count != 1 || !irq_count(command->device, set.index))
		return -EINVAL;
	switch (data) {
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return data_bytes ? -EINVAL : set_eventfd(command, &set);
	case VFIO_IRQ_SET_DATA_NONE:
		return data_bytes ? -EINVAL : act(command, &set);
	case VFIO_IRQ_SET_DATA_BOOL:
		if (data_bytes != 1)
			return -EINVAL;
		return command->payload[sizeof(set)] ? act(command, &set) : 0;
	default:
		return -EINVAL;
	}
}
