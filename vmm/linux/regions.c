/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is behind each region of a function. The guest maps status page and dataport where it can;
 * accesses to them come as messages when QEMU took the mappings away (INTx in the single layout) or
 * when the client does not map.
 */
#include <string.h>

#include "vmm/linux/internal.h"

void regions_fill(struct host_function *function)
{
	const struct host_connection *connection = function->connection;
	const struct crossvm_device_state *device = &connection->state->device;
	const bool single = device->options.layout == CROSSVM_LAYOUT_SINGLE;
	const bool memory = single || function->number == CROSSVM_FUNCTION_MEMORY;
	const unsigned int dataport_bar =
		single ? CROSSVM_SINGLE_BAR_DATAPORT : CROSSVM_BAR_DATAPORT;
	struct vfio_user_region *regions = function->device.regions;

	regions[VFIO_PCI_CONFIG_REGION_INDEX] = (struct vfio_user_region){
		.bytes = CROSSVM_CONFIG_BYTES, .readable = true, .writable = true, .fd = -1};
	for (unsigned int bar = 0; bar <= VFIO_PCI_BAR5_REGION_INDEX; bar++) {
		const uint64_t bytes = crossvm_device_bar_bytes(device, function->number, bar);

		regions[bar] = (struct vfio_user_region){
			.bytes = bytes, .readable = bytes != 0, .writable = bytes != 0, .fd = -1};
	}
	function->regions[CROSSVM_BAR_REGISTERS].registers =
		function->number == CROSSVM_FUNCTION_EVENTS;
	if (!memory)
		return;
	regions[CROSSVM_BAR_STATUS].fd = connection->status_fd;
	regions[CROSSVM_BAR_STATUS].map_offset = single ? CROSSVM_SINGLE_STATUS_OFFSET : 0;
	regions[CROSSVM_BAR_STATUS].map_bytes = CROSSVM_PAGE_BYTES;
	function->regions[CROSSVM_BAR_STATUS].memory =
		(unsigned char *)connection->connection->device.status;
	function->regions[CROSSVM_BAR_STATUS].memory_offset =
		regions[CROSSVM_BAR_STATUS].map_offset;
	function->regions[CROSSVM_BAR_STATUS].memory_bytes = CROSSVM_PAGE_BYTES;
	if (!connection->dataport)
		return;
	regions[dataport_bar].writable = (device->options.access & CROSSVM_ACCESS_WRITE) != 0;
	regions[dataport_bar].fd = connection->dataport_fd;
	regions[dataport_bar].fd_offset = connection->dataport_offset;
	regions[dataport_bar].map_bytes = device->options.dataport_bytes;
	function->regions[dataport_bar].memory = connection->dataport;
	function->regions[dataport_bar].memory_bytes = device->options.dataport_bytes;
}

/* A guest's 4 or 8-byte access must not be torn: peers see it. */
static void copy(void *to, const void *from, size_t bytes)
{
	const bool aligned = (((uintptr_t)to | (uintptr_t)from) & (bytes - 1)) == 0;

	if (bytes == 8 && aligned)
		*(volatile uint64_t *)to = *(const volatile uint64_t *)from;
	else if (bytes == 4 && aligned)
		*(volatile uint32_t *)to = *(const volatile uint32_t *)from;
	else if (bytes == 2 && aligned)
		*(volatile uint16_t *)to = *(const volatile uint16_t *)from;
	else
		memcpy(to, from, bytes);
}

/* The part of an access that falls on a region's memory. */
struct part {
	size_t skip; /* bytes of the access before it */
	size_t bytes;
	unsigned char *memory;
};

static struct part part_on_memory(const struct host_region *region, uint64_t offset, size_t bytes)
{
	const uint64_t begin = offset > region->memory_offset ? offset : region->memory_offset;
	const uint64_t memory_end = region->memory_offset + region->memory_bytes;
	const uint64_t end = offset + bytes < memory_end ? offset + bytes : memory_end;

	if (!region->memory || begin >= end)
		return (struct part){0};
	return (struct part){.skip = (size_t)(begin - offset),
			     .bytes = (size_t)(end - begin),
			     .memory = region->memory + (begin - region->memory_offset)};
}

/* How much of an access falls on the register page. */
static size_t register_bytes(const struct host_region *region, uint64_t offset, size_t bytes)
{
	if (!region->registers || offset >= CROSSVM_PAGE_BYTES)
		return 0;
	return offset + bytes <= CROSSVM_PAGE_BYTES ? bytes : (size_t)(CROSSVM_PAGE_BYTES - offset);
}

void regions_read(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes)
{
	struct host_function *function = context;
	struct crossvm_device *device = &function->connection->connection->device;
	const struct host_region *behind = &function->regions[region];
	struct part part;
	size_t registers;

	if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
		crossvm_device_config_read(device, function->number, (uint32_t)offset, data, bytes);
		return;
	}
	memset(data, 0, bytes);
	registers = register_bytes(behind, offset, bytes);
	if (registers)
		crossvm_device_registers_read(device, (uint32_t)offset, data, registers);
	part = part_on_memory(behind, offset, bytes);
	if (part.bytes)
		copy((unsigned char *)data + part.skip, part.memory, part.bytes);
}

void regions_write(void *context, uint32_t region, uint64_t offset, const void *data, size_t bytes)
{
	struct host_function *function = context;
	struct crossvm_device *device = &function->connection->connection->device;
	const struct host_region *behind = &function->regions[region];
	struct part part;
	size_t registers;

	if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
		crossvm_device_config_write(device, function->number, (uint32_t)offset, data,
					    bytes);
		return;
	}
	registers = register_bytes(behind, offset, bytes);
	if (registers)
		crossvm_device_registers_write(device, (uint32_t)offset, data, registers);
	part = part_on_memory(behind, offset, bytes);
	if (part.bytes)
		copy(part.memory, (const unsigned char *)data + part.skip, part.bytes);
}
