/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Backend for a guest with an IOMMU, whose devices are bound to the kernel's own vfio-pci: MSI
 * without our driver and, where the group's file is given to him, for a user who is not root.
 *
 * Interrupts are counted by one eventfd, the kernel's wish to have the device back by another. An
 * INTx is masked when it comes; arm() acknowledges it, which lets go of the line, and unmasks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/list.h"
#include "lib/nap.h"
#include "lib/pci_device.h"
#include "lib/vfio.h"

struct vfio_connection {
	struct crossvm_connection base;
	struct crossvm_vfio events;
	struct crossvm_vfio memory;
	int epoll; /* watches the other two */
	int interrupt_fd;
	int request_fd;
	bool interrupts;
	bool msi;
	struct crossvm_nap nap; /* without interrupts */
};

static struct vfio_connection *of(struct crossvm_connection *conn)
{
	return (struct vfio_connection *)conn;
}

/* Whether something was written to an eventfd since the last look. */
static bool take(int event_fd)
{
	uint64_t count;

	return read(event_fd, &count, sizeof(count)) == sizeof(count);
}

static int acknowledge(struct vfio_connection *vfio)
{
	uint32_t pending = crossvm_load32(vfio->base.registers.address, CROSSVM_REG_PENDING);

	if (pending == UINT32_MAX)
		return crossvm_connection_gone(&vfio->base, -ENODEV,
					       "its device does not answer any more");
	crossvm_store32(vfio->base.registers.address, CROSSVM_REG_PENDING, pending);
	return crossvm_vfio_unmask_intx(&vfio->events);
}

static int vfio_arm(struct crossvm_connection *conn)
{
	struct vfio_connection *vfio = of(conn);

	if (crossvm_connection_unplugged(conn) || take(vfio->request_fd))
		return crossvm_connection_gone(
			conn, -ENODEV, "its device is to be removed, which waits for its closing");
	return vfio->interrupts && take(vfio->interrupt_fd) && !vfio->msi ? acknowledge(vfio) : 0;
}

static int vfio_sleep(struct crossvm_connection *conn, int timeout_ms)
{
	struct vfio_connection *vfio = of(conn);
	struct epoll_event event;
	int ready;

	if (!vfio->interrupts)
		return crossvm_nap(&vfio->nap, crossvm_connection_total(conn), timeout_ms);
	ready = epoll_wait(vfio->epoll, &event, 1, timeout_ms);
	if (ready < 0)
		return errno == EINTR ? crossvm_fail_fixed(-EINTR, "a signal came while waiting")
				      : crossvm_fail(-errno, "cannot wait: %s", strerror(errno));
	return ready ? 0 : -ETIMEDOUT;
}

static int vfio_fd(const struct crossvm_connection *conn)
{
	const struct vfio_connection *vfio = (const struct vfio_connection *)conn;

	if (!vfio->interrupts)
		return crossvm_fail(-ENOTSUP,
				    "%s: its device has no interrupt, so nothing can be polled for",
				    conn->name);
	return vfio->epoll;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void vfio_close(struct crossvm_connection *conn)
{
	struct vfio_connection *vfio = of(conn);

	/* The device is there until it is closed, even where the kernel wants it back. */
	if (conn->registers.address && conn->info.member_count)
		crossvm_pci_device_close(conn);
	/* Mappings keep a function open: they go first, so that the next one can open it. */
	crossvm_unmap(&conn->dataport);
	crossvm_unmap(&conn->status);
	crossvm_unmap(&conn->registers);
	crossvm_vfio_close(&vfio->memory);
	crossvm_vfio_close(&vfio->events);
	close_fd(vfio->epoll);
	close_fd(vfio->interrupt_fd);
	close_fd(vfio->request_fd);
	crossvm_connection_release(conn);
}

static const struct crossvm_backend_ops vfio_ops = {
	.emit = crossvm_register_emit,
	.arm = vfio_arm,
	.sleep = vfio_sleep,
	.fd = vfio_fd,
	.close = vfio_close,
};

static bool is_ours(const struct crossvm_pci_function *function)
{
	return strcmp(function->driver, CROSSVM_VFIO_DRIVER) == 0;
}

static int map_registers(struct crossvm_vfio *vfio, const char *root,
			 const struct crossvm_pci_function *events,
			 struct crossvm_mapping *registers)
{
	int error = crossvm_vfio_open(vfio, root, events);

	if (!error)
		error = crossvm_vfio_map(vfio, CROSSVM_BAR_REGISTERS, 0, CROSSVM_PAGE_BYTES,
					 PROT_READ | PROT_WRITE, registers);
	if (error)
		crossvm_vfio_close(vfio);
	return error;
}

/* Attaching to a device whose registers are mapped. */

struct attachment {
	struct vfio_connection *vfio;
	const char *root;
};

static int enable_memory(void *context, const struct crossvm_pci_function *memory)
{
	struct attachment *attachment = context;

	if (!is_ours(memory))
		return crossvm_fail(-ENODEV,
				    "PCI device %s has the memory of %s, but is not bound to "
				    "vfio-pci; bind all functions of the slot to it",
				    memory->address, attachment->vfio->base.name);
	return crossvm_vfio_open(&attachment->vfio->memory, attachment->root, memory);
}

static int map(void *context, const struct crossvm_pci_function *function, unsigned int bar,
	       size_t offset, size_t bytes, int protection, struct crossvm_mapping *mapping)
{
	struct vfio_connection *vfio = ((struct attachment *)context)->vfio;
	bool split = strcmp(function->address, vfio->events.address) != 0;

	return crossvm_vfio_map(split ? &vfio->memory : &vfio->events, bar, offset, bytes,
				protection, mapping);
}

static int watch(const struct vfio_connection *vfio, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(vfio->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_descriptors(struct vfio_connection *vfio)
{
	int error = 0;

	vfio->epoll = epoll_create1(EPOLL_CLOEXEC);
	vfio->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vfio->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vfio->epoll < 0 || vfio->interrupt_fd < 0 || vfio->request_fd < 0)
		error = -errno;
	if (!error)
		error = watch(vfio, vfio->interrupt_fd);
	if (!error)
		error = watch(vfio, vfio->request_fd);
	return error ? crossvm_fail(error, "%s: cannot wait for events: %s", vfio->base.name,
				    strerror(-error))
		     : 0;
}

static int set_up_interrupt(struct vfio_connection *vfio)
{
	int error = open_descriptors(vfio);

	if (!error)
		error = crossvm_vfio_requests(&vfio->events, vfio->request_fd);
	if (!error && vfio->memory.group)
		error = crossvm_vfio_requests(&vfio->memory, vfio->request_fd);
	if (error)
		return error;
	error = crossvm_vfio_interrupts(&vfio->events, vfio->interrupt_fd, &vfio->msi);
	if (error)
		return error == -ENOENT ? 0 : error;
	vfio->interrupts = true;
	vfio->base.info.interrupt = vfio->msi ? "msi" : "intx";
	return 0;
}

static int attach(struct vfio_connection *vfio, const char *root,
		  const struct crossvm_pci_function *events)
{
	struct attachment attachment = {vfio, root};
	const struct crossvm_pci_way way = {
		.enable = enable_memory, .map = map, .context = &attachment};
	int error = crossvm_pci_device_attach(&vfio->base, root, events, &way);

	if (!error)
		error = set_up_interrupt(vfio);
	if (!error)
		crossvm_pci_device_open(&vfio->base);
	return error;
}

/* Searching: a device's name is in its registers, so each has to be opened. */

struct search {
	struct vfio_connection *vfio;
	const char *root;
	bool any;
	int refused; /* the first error of those that could not be looked at */
};

static int is_wanted(void *context, const struct crossvm_pci_function *events)
{
	struct search *search = context;
	struct crossvm_connection *conn = &search->vfio->base;
	char name[CROSSVM_NAME_BYTES];
	int error;

	if (!is_ours(events))
		return 0;
	search->any = true;
	error = map_registers(&search->vfio->events, search->root, events, &conn->registers);
	if (error) {
		search->refused = search->refused ? search->refused : error;
		return 0;
	}
	crossvm_pci_device_name(&conn->registers, name);
	if (strcmp(name, conn->name) == 0) {
		error = attach(search->vfio, search->root, events);
		return error ? error : 1;
	}
	crossvm_unmap(&conn->registers);
	crossvm_vfio_close(&search->vfio->events);
	return 0;
}

static int find_and_attach(struct vfio_connection *vfio, const char *root)
{
	struct search search = {.vfio = vfio, .root = root};
	int result = crossvm_pci_visit(root, CROSSVM_PCI_DEVICE_EVENTS, is_wanted, &search);

	if (result)
		return result == 1 ? 0 : result;
	if (!search.any)
		return CROSSVM_NOTHING_HERE;
	/* It may be among those; the sentence says why they could not be looked at. */
	if (search.refused)
		return search.refused;
	return crossvm_fail(CROSSVM_NOT_BY_NAME,
			    "%s: no device of this name in this guest; 'crossvm list' shows what "
			    "there is",
			    vfio->base.name);
}

int crossvm_vfio_connection_open(const struct crossvm_open_request *request,
				 struct crossvm_connection **conn)
{
	struct vfio_connection *vfio = calloc(1, sizeof(*vfio));
	int error;

	if (!vfio)
		return crossvm_fail(-ENOMEM, "%s: out of memory", request->name);
	crossvm_connection_prepare(&vfio->base, &vfio_ops, request, CROSSVM_BACKEND_VFIO);
	vfio->epoll = vfio->interrupt_fd = vfio->request_fd = -1;
	error = find_and_attach(vfio, request->root);
	if (error) {
		vfio_close(&vfio->base);
		return error;
	}
	crossvm_connection_start(&vfio->base);
	*conn = &vfio->base;
	return 0;
}

/* Listing. */

struct listing {
	struct crossvm_list *list;
	const char *root;
	bool any;
};

static int add_to_list(void *context, const struct crossvm_pci_function *events)
{
	struct listing *listing = context;
	struct crossvm_list_entry entry = {.backend = CROSSVM_BACKEND_VFIO};
	struct crossvm_mapping registers = {0};
	struct crossvm_vfio vfio;
	int error;

	if (!is_ours(events) || events->revision == CROSSVM_PCI_REVISION_1)
		return 0;
	listing->any = true;
	error = map_registers(&vfio, listing->root, events, &registers);
	/* What another has open cannot be opened here. */
	if (error)
		return error == -EBUSY ? 0 : error;
	crossvm_pci_device_describe(&registers, &entry);
	crossvm_unmap(&registers);
	crossvm_vfio_close(&vfio);
	return crossvm_list_add(listing->list, &entry);
}

int crossvm_vfio_connection_list(const char *root, struct crossvm_list *list)
{
	struct listing listing = {.list = list, .root = root};
	int error = crossvm_pci_visit(root, CROSSVM_PCI_DEVICE_EVENTS, add_to_list, &listing);

	return error || listing.any ? error : CROSSVM_NOTHING_HERE;
}
