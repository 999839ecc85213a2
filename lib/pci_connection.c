/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Backends for a guest without our driver, as root. Memory is mapped through the PCI resources that
 * sysfs shows. With stock uio_pci_generic bound to the events function there is an interrupt
 * (CROSSVM_BACKEND_UIO_GENERIC); with no driver at all a wait looks again and again
 * (CROSSVM_BACKEND_SYSFS).
 *
 * The kernel masks INTx at each interrupt. arm() acknowledges what has come, which lets go of the
 * line, and unmasks; what comes afterwards raises the line again. One process acknowledging for
 * itself would take events from under another one that waits, so a lock on the UIO device admits
 * one waiting process at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/list.h"
#include "lib/nap.h"
#include "lib/pci_device.h"
#include "lib/uio_device.h"

#define DRIVER "uio_pci_generic"

struct pci_connection {
	struct crossvm_connection base;
	struct crossvm_pci_function events;
	int registers_fd; /* a shared lock on it counts those who have the connection open */
	struct crossvm_uio uio;
	bool interrupts;
	bool locked; /* of the waiting thread */
	struct crossvm_nap nap;
};

static struct pci_connection *of(struct crossvm_connection *conn)
{
	return (struct pci_connection *)conn;
}

static int lock_waiting(const struct pci_connection *pci)
{
	if (!flock(pci->uio.fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return crossvm_fail(
			-EBUSY,
			"%s: another process waits for it, and with uio_pci_generic only "
			"one can; load the module uio_crossvm instead",
			pci->base.name);
	return crossvm_fail(-errno, "%s: cannot lock its UIO device: %s", pci->base.name,
			    strerror(errno));
}

static int acknowledge(struct pci_connection *pci)
{
	uint32_t pending = crossvm_load32(pci->base.registers.address, CROSSVM_REG_PENDING);

	if (pending == UINT32_MAX)
		return crossvm_connection_gone(&pci->base, -ENODEV,
					       "its device does not answer any more");
	crossvm_store32(pci->base.registers.address, CROSSVM_REG_PENDING, pending);
	return crossvm_pci_unmask_intx(&pci->events);
}

static int pci_arm(struct crossvm_connection *conn)
{
	struct pci_connection *pci = of(conn);
	int64_t taken;

	if (!pci->interrupts)
		return 0;
	if (!pci->locked) {
		int error = lock_waiting(pci);

		if (error)
			return error;
		pci->locked = true;
	}
	taken = crossvm_uio_device_take(&pci->uio);
	if (taken < 0)
		return crossvm_connection_gone(conn, -ENODEV, "its device has been removed");
	return taken ? acknowledge(pci) : 0;
}

static int pci_sleep(struct crossvm_connection *conn, int timeout_ms)
{
	if (!of(conn)->interrupts)
		return crossvm_nap(&of(conn)->nap, crossvm_connection_total(conn), timeout_ms);
	return crossvm_uio_device_sleep(&of(conn)->uio, timeout_ms);
}

static int pci_fd(const struct crossvm_connection *conn)
{
	const struct pci_connection *pci = (const struct pci_connection *)conn;
	int error;

	if (!pci->interrupts)
		return crossvm_fail(-ENOTSUP,
				    "%s: no driver is bound to its device, so nothing can be "
				    "polled for; load the module uio_crossvm",
				    conn->name);
	error = lock_waiting(pci);
	return error ? error : pci->uio.fd;
}

static void pci_close(struct crossvm_connection *conn)
{
	struct pci_connection *pci = of(conn);

	/* Whoever gets the lock for himself is the last one. */
	if (pci->registers_fd >= 0 && !crossvm_connection_unplugged(conn) &&
	    !flock(pci->registers_fd, LOCK_EX | LOCK_NB)) {
		crossvm_pci_device_close(conn);
		if (pci->interrupts)
			(void)crossvm_pci_mask_intx(&pci->events);
	}
	if (pci->registers_fd >= 0)
		close(pci->registers_fd);
	crossvm_uio_device_close(&pci->uio);
	crossvm_connection_release(conn);
}

static const struct crossvm_backend_ops pci_ops = {
	.emit = crossvm_register_emit,
	.arm = pci_arm,
	.sleep = pci_sleep,
	.fd = pci_fd,
	.close = pci_close,
};

/* Probing. */

static bool is_ours(const struct crossvm_pci_function *events)
{
	return !events->driver[0] || strcmp(events->driver, DRIVER) == 0;
}

static int map_registers(const struct crossvm_pci_function *events,
			 struct crossvm_mapping *registers, int *fd)
{
	int error = crossvm_pci_enable_memory(events);

	if (error)
		return error;
	return crossvm_pci_map(events, CROSSVM_BAR_REGISTERS, 0, CROSSVM_PAGE_BYTES,
			       PROT_READ | PROT_WRITE, registers, fd);
}

static int enable(void *context, const struct crossvm_pci_function *function)
{
	(void)context;
	return crossvm_pci_enable_memory(function);
}

static int map(void *context, const struct crossvm_pci_function *function, unsigned int bar,
	       size_t offset, size_t bytes, int protection, struct crossvm_mapping *mapping)
{
	(void)context;
	return crossvm_pci_map(function, bar, offset, bytes, protection, mapping, NULL);
}

static int take_first(void *entry, const char *found)
{
	snprintf(entry, CROSSVM_NAME_BYTES, "%s", found);
	return 1;
}

/* With uio_pci_generic bound and an interrupt there, use it. */
static int set_up_interrupt(struct pci_connection *pci, const char *root)
{
	char directory[CROSSVM_PATH_BYTES];
	char entry[CROSSVM_NAME_BYTES];
	uint64_t irq = 0;
	int error = crossvm_path(directory, "%s/uio", pci->events.sysfs);

	if (error || !pci->events.driver[0] ||
	    crossvm_attribute_number(pci->events.sysfs, "irq", &irq) || !irq ||
	    crossvm_directory_visit(directory, take_first, entry) != 1)
		return 0;
	error = crossvm_uio_device_open(&pci->uio, root, entry, pci->base.name, false);
	if (error)
		return error;
	pci->interrupts = true;
	pci->base.info.backend = CROSSVM_BACKEND_UIO_GENERIC;
	pci->base.info.interrupt = "intx";
	return crossvm_pci_unmask_intx(&pci->events);
}

static int attach(struct pci_connection *pci, const char *root)
{
	const struct crossvm_pci_way way = {.enable = enable, .map = map};
	int error = crossvm_pci_device_attach(&pci->base, root, &pci->events, &way);

	if (!error)
		error = set_up_interrupt(pci, root);
	if (error)
		return error;
	flock(pci->registers_fd, LOCK_SH);
	crossvm_pci_device_open(&pci->base);
	return 0;
}

/* Searching. */

struct search {
	struct pci_connection *pci;
	bool any;
};

static int is_wanted(void *context, const struct crossvm_pci_function *events)
{
	struct search *search = context;
	struct pci_connection *pci = search->pci;
	char name[CROSSVM_NAME_BYTES];
	int error;

	if (!is_ours(events))
		return 0;
	search->any = true;
	error = map_registers(events, &pci->base.registers, &pci->registers_fd);
	if (error)
		return error;
	crossvm_pci_device_name(&pci->base.registers, name);
	if (strcmp(name, pci->base.name) == 0) {
		pci->events = *events;
		return 1;
	}
	crossvm_unmap(&pci->base.registers);
	close(pci->registers_fd);
	pci->registers_fd = -1;
	return 0;
}

static int find_and_attach(struct pci_connection *pci, const char *root)
{
	struct search search = {.pci = pci};
	int result = crossvm_pci_visit(root, CROSSVM_PCI_DEVICE_EVENTS, is_wanted, &search);

	if (result == 1)
		return attach(pci, root);
	if (result)
		return result;
	if (!search.any)
		return CROSSVM_NOTHING_HERE;
	return crossvm_fail(CROSSVM_NOT_BY_NAME,
			    "%s: no device of this name in this guest; 'crossvm list' shows what "
			    "there is",
			    pci->base.name);
}

int crossvm_pci_open(const struct crossvm_open_request *request, struct crossvm_connection **conn)
{
	struct pci_connection *pci = calloc(1, sizeof(*pci));
	int error;

	if (!pci)
		return crossvm_fail(-ENOMEM, "%s: out of memory", request->name);
	crossvm_connection_prepare(&pci->base, &pci_ops, request, CROSSVM_BACKEND_SYSFS);
	pci->registers_fd = -1;
	pci->uio.fd = -1;
	error = find_and_attach(pci, request->root);
	if (error) {
		pci_close(&pci->base);
		return error;
	}
	crossvm_connection_start(&pci->base);
	*conn = &pci->base;
	return 0;
}

/* Listing. */

struct listing {
	struct crossvm_list *list;
	bool any;
};

static int add_to_list(void *context, const struct crossvm_pci_function *events)
{
	struct listing *listing = context;
	struct crossvm_list_entry entry = {
		.backend = events->driver[0] ? CROSSVM_BACKEND_UIO_GENERIC : CROSSVM_BACKEND_SYSFS,
	};
	struct crossvm_mapping registers = {0};
	int error;

	/* What cannot be opened this way is not listed. */
	if (!is_ours(events) || events->revision == CROSSVM_PCI_REVISION_1)
		return 0;
	listing->any = true;
	error = map_registers(events, &registers, NULL);
	if (error)
		return error;
	crossvm_pci_device_describe(&registers, &entry);
	crossvm_unmap(&registers);
	return crossvm_list_add(listing->list, &entry);
}

int crossvm_pci_list(const char *root, struct crossvm_list *list)
{
	struct listing listing = {.list = list};
	int error = crossvm_pci_visit(root, CROSSVM_PCI_DEVICE_EVENTS, add_to_list, &listing);

	return error || listing.any ? error : CROSSVM_NOTHING_HERE;
}
