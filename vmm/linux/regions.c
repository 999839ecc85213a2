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

/*
 * How much of an access to memory shared with peers goes in one piece: an access that is aligned to
 * its size, of up to 8 bytes, goes in one, so that no peer sees half of it, or sees it twice. Others
 * are taken apart where a processor would, at multiples of 8, 4 and 2.
 */
static size_t piece_bytes(const unsigned char *memory, size_t bytes)
{
	size_t piece = sizeof(uint64_t);

	while (piece > bytes || (uintptr_t)memory % piece)
		piece /= 2;
	return piece;
}

/*
 * Where the message lies must not matter, since its client decides that: so its side of a piece is
 * a variable, which is copied from or to wherever it is.
 */
static void store_piece(unsigned char *memory, const unsigned char *from, size_t piece)
{
	void *to = memory;
	uint64_t value = 0;

	memcpy(&value, from, piece); /* little-endian, as device/ insists: the first bytes count */
	switch (piece) {
	case 8:
		*(volatile uint64_t *)to = value;
		break;
	case 4:
		*(volatile uint32_t *)to = (uint32_t)value;
		break;
	case 2:
		*(volatile uint16_t *)to = (uint16_t)value;
		break;
	default:
		*(volatile uint8_t *)to = (uint8_t)value;
		break;
	}
}

static void load_piece(unsigned char *to, const unsigned char *memory, size_t piece)
{
	const void *from = memory;
	uint64_t value;

	switch (piece) {
	case 8:
		value = *(const volatile uint64_t *)from;
		break;
	case 4:
		value = *(const volatile uint32_t *)from;
		break;
	case 2:
		value = *(const volatile uint16_t *)from;
		break;
	default:
		value = *(const volatile uint8_t *)from;
		break;
	}
	memcpy(to, &value, piece);
}

static void store(unsigned char *memory, const unsigned char *from, size_t bytes)
{
	size_t piece;

	for (; bytes; memory += piece, from += piece, bytes -= piece) {
		piece = piece_bytes(memory, bytes);
		store_piece(memory, from, piece);
	}
}

static void load(unsigned char *to, const unsigned char *memory, size_t bytes)
{
	size_t piece;

	for (; bytes; memory += piece, to += piece, bytes -= piece) {
		piece = piece_bytes(memory, bytes);
		load_piece(to, memory, piece);
	}
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
	load((unsigned char *)data + part.skip, part.memory, part.bytes);
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
	store(part.memory, (const unsigned char *)data + part.skip, part.bytes);
}
