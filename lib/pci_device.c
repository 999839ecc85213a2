/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/pci_device.h"

#include <errno.h>
#include <sys/mman.h>

#include "lib/error.h"
#include "lib/status.h"

void crossvm_pci_device_name(const struct crossvm_mapping *registers, char name[CROSSVM_NAME_BYTES])
{
	crossvm_load_words(name, registers->address, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES);
	crossvm_name_clean(name);
}

void crossvm_pci_device_describe(const struct crossvm_mapping *registers,
				 struct crossvm_list_entry *entry)
{
	const void *base = registers->address;

	crossvm_pci_device_name(registers, entry->name);
	entry->member_access = crossvm_load32(base, CROSSVM_REG_ACCESS);
	entry->dataport_bytes = crossvm_load32(base, CROSSVM_REG_DATAPORT_BYTES) |
				(uint64_t)crossvm_load32(base, CROSSVM_REG_DATAPORT_BYTES + 4)
					<< 32;
}

static int check_device(const struct crossvm_connection *conn,
			const struct crossvm_pci_function *events)
{
	const void *registers = conn->registers.address;
	uint32_t magic;
	uint32_t version;
	uint32_t features;

	if (events->revision == CROSSVM_PCI_REVISION_1)
		return crossvm_fail(-EPROTO,
				    "%s: its device is of revision 1, which needs the driver "
				    "uio_crossvm; load that module",
				    conn->name);
	magic = crossvm_load32(registers, CROSSVM_REG_MAGIC);
	version = crossvm_load32(registers, CROSSVM_REG_VERSION);
	features = crossvm_load32(registers, CROSSVM_REG_FEATURES);
	if (magic != CROSSVM_ABI_MAGIC || version != CROSSVM_ABI_VERSION)
		return crossvm_fail(
			-EPROTO,
			"%s: its device says magic 0x%08x, version %u instead of 0x%08x, %u; "
			"install matching versions of crossvm",
			conn->name, magic, version, CROSSVM_ABI_MAGIC, CROSSVM_ABI_VERSION);
	if (!(features & CROSSVM_FEATURE_STATUS_PAGE))
		return crossvm_fail(-EPROTO,
				    "%s: its device has no status page, and so needs the "
				    "driver uio_crossvm; load that module",
				    conn->name);
	return 0;
}

/* Where a connection's memory is, in either layout. */
struct layout {
	struct crossvm_pci_function memory;
	size_t status_offset;
	unsigned int dataport_bar;
};

static int find_layout(const struct crossvm_connection *conn, const char *root,
		       const struct crossvm_pci_function *events, const struct crossvm_pci_way *way,
		       struct layout *layout)
{
	uint32_t offset = crossvm_load32(conn->registers.address, CROSSVM_REG_STATUS_OFFSET);

	if (offset % CROSSVM_PAGE_BYTES)
		return crossvm_fail(-EPROTO, "%s: its device says a status page at 0x%x",
				    conn->name, offset);
	layout->status_offset = offset;
	layout->dataport_bar = offset ? CROSSVM_SINGLE_BAR_DATAPORT : CROSSVM_BAR_DATAPORT;
	if (offset) {
		layout->memory = *events;
		return 0;
	}
	if (crossvm_pci_pair(root, events, &layout->memory))
		return crossvm_fail(-EPROTO,
				    "%s: PCI device %s has no memory function beside it; put both "
				    "functions of a connection into one slot",
				    conn->name, events->address);
	return way->enable(way->context, &layout->memory);
}

static int map_memory(struct crossvm_connection *conn, const struct crossvm_pci_function *events,
		      const struct crossvm_pci_way *way, const struct layout *layout)
{
	uint32_t id = crossvm_load32(conn->registers.address, CROSSVM_REG_CONNECTION_ID);
	int protection = PROT_READ | (conn->access & CROSSVM_OPEN_WRITE ? PROT_WRITE : 0);
	struct crossvm_peer self;
	int error = way->map(way->context, &layout->memory, CROSSVM_BAR_STATUS,
			     layout->status_offset, CROSSVM_PAGE_BYTES, PROT_READ, &conn->status);

	if (error)
		return error;
	error = crossvm_status_read(conn->status.address, conn->name, &conn->info);
	if (error)
		return error;
	if (conn->info.connection_id != id)
		return crossvm_fail(-EPROTO,
				    "%s: PCI devices %s and %s belong to connections %u and %u",
				    conn->name, events->address, layout->memory.address, id,
				    conn->info.connection_id);
	crossvm_status_peer(conn->status.address, conn->info.member_id, &self);
	error = crossvm_access_check(conn, self.name);
	if (error || !(conn->access & CROSSVM_OPEN_READ) || !conn->info.dataport_bytes)
		return error;
	return way->map(way->context, &layout->memory, layout->dataport_bar, 0,
			(size_t)conn->info.dataport_bytes, protection, &conn->dataport);
}

int crossvm_pci_device_attach(struct crossvm_connection *conn, const char *root,
			      const struct crossvm_pci_function *events,
			      const struct crossvm_pci_way *way)
{
	struct layout layout;
	int error = check_device(conn, events);

	if (!error)
		error = find_layout(conn, root, events, way, &layout);
	if (!error)
		error = map_memory(conn, events, way, &layout);
	if (!error)
		conn->info.revision = events->revision;
	return error;
}

void crossvm_pci_device_open(struct crossvm_connection *conn)
{
	crossvm_store32(conn->registers.address, CROSSVM_REG_CONTROL,
			CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_PEER_CHANGES);
	/* The store is posted: the answer to a load behind it comes when the host has seen it. */
	(void)crossvm_load32(conn->registers.address, CROSSVM_REG_CONTROL);
}

void crossvm_pci_device_close(struct crossvm_connection *conn)
{
	crossvm_store32(conn->registers.address, CROSSVM_REG_CONTROL, 0);
}
