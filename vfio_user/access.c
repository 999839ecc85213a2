/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing regions. */
#include "vfio_user/internal.h"

#include <errno.h>
#include <string.h>

/*
 * A guest says where in a region it reads and writes, and a client passes that on: config space from
 * its end on, a BAR beyond its size, a region that the device does not have. That is no mistake of
 * the client's, and it gets the answer that it expects, in full: a client that reads as many bytes as
 * it asked for would wait for ever behind a bare error, and its VM with it.
 *
 * What no device answers reads as all ones on a PCI bus, and a write to it goes nowhere. So it is
 * here, for each byte that is not in the region, or not readable. (By all ones at 256 guests also see
 * that there is no extended config space.)
 */
#define NOBODY_ANSWERS 0xff

/* Only this much is the client's own mistake. */
static int check(const struct vfio_user_access *access)
{
	return access->region < VFIO_PCI_NUM_REGIONS &&
			       access->count <= VFIO_USER_MAX_TRANSFER_BYTES
		       ? 0
		       : -EINVAL;
}

/* How many bytes of an access, its first ones, are in the region. */
static uint32_t bytes_inside(const struct vfio_user_region *region,
			     const struct vfio_user_access *access)
{
	const uint64_t room = access->offset < region->bytes ? region->bytes - access->offset : 0;

	return access->count < room ? access->count : (uint32_t)room;
}

static int write_region(const struct vfio_user_device *device,
			const struct vfio_user_access *access, const void *data)
{
	const struct vfio_user_region *region;
	const int error = check(access);
	uint32_t inside;

	if (error)
		return error;
	region = &device->regions[access->region];
	inside = region->writable ? bytes_inside(region, access) : 0;
	if (inside)
		device->ops->write(device->context, access->region, access->offset, data, inside);
	return 0;
}

int vfio_user_do_read(struct vfio_user_command *command)
{
	const struct vfio_user_device *device = command->device;
	const struct vfio_user_region *region;
	struct vfio_user_access access;
	unsigned char *data = command->reply + sizeof(access);
	uint32_t inside;
	int error;

	memcpy(&access, command->payload, sizeof(access));
	error = check(&access);
	if (error)
		return error;
	memcpy(command->reply, &access, sizeof(access));
	region = &device->regions[access.region];
	inside = region->readable ? bytes_inside(region, &access) : 0;
	if (inside)
		device->ops->read(device->context, access.region, access.offset, data, inside);
	memset(data + inside, NOBODY_ANSWERS, access.count - inside);
	command->reply_bytes = sizeof(access) + access.count;
	return 0;
}

int vfio_user_do_write(struct vfio_user_command *command)
{
	struct vfio_user_access access;
	int error;

	memcpy(&access, command->payload, sizeof(access));
	if (command->payload_bytes - sizeof(access) != access.count)
		return -EINVAL;
	error = write_region(command->device, &access, command->payload + sizeof(access));
	if (error)
		return error;
	memcpy(command->reply, &access, sizeof(access));
	command->reply_bytes = sizeof(access);
	return 0;
}

/* Each write is a step of its own, so that none of them is repeated with the ones behind it. */
int vfio_user_do_multi_write(struct vfio_user_command *command)
{
	const unsigned char *writes = command->payload + sizeof(uint64_t);
	struct vfio_user_multi_write write;
	uint64_t count;
	int error;

	memcpy(&count, command->payload, sizeof(count));
	if (count != (command->payload_bytes - sizeof(count)) / sizeof(write) ||
	    (command->payload_bytes - sizeof(count)) % sizeof(write))
		return -EINVAL;
	for (uint64_t i = command->message->step; i < count; i++) {
		memcpy(&write, writes + i * sizeof(write), sizeof(write));
		if (write.access.count > sizeof(write.data))
			return -EINVAL;
		error = write_region(command->device, &write.access, write.data);
		if (error)
			return error;
		wire_step(&command->session->wire, command->message);
	}
	memcpy(command->reply, &count, sizeof(count));
	command->reply_bytes = sizeof(count);
	return 0;
}
