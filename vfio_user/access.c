/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing regions. */
#include "vfio_user/internal.h"

#include <errno.h>
#include <string.h>

static int check(const struct vfio_user_device *device, const struct vfio_user_access *access)
{
	const struct vfio_user_region *region;

	if (access->region >= VFIO_PCI_NUM_REGIONS || access->count > VFIO_USER_MAX_TRANSFER_BYTES)
		return -EINVAL;
	region = &device->regions[access->region];
	if (access->offset > region->bytes || access->count > region->bytes - access->offset)
		return -EINVAL;
	return 0;
}

static int write_region(const struct vfio_user_device *device,
			const struct vfio_user_access *access, const void *data)
{
	const int error = check(device, access);

	if (error)
		return error;
	/* As on a bus: a write to what cannot be written does nothing. */
	if (access->count && device->regions[access->region].writable)
		device->ops->write(device->context, access->region, access->offset, data,
				   access->count);
	return 0;
}

int vfio_user_do_read(struct vfio_user_command *command)
{
	const struct vfio_user_device *device = command->device;
	struct vfio_user_access access;
	unsigned char *data = command->reply + sizeof(access);
	int error;

	memcpy(&access, command->payload, sizeof(access));
	error = check(device, &access);
	if (error)
		return error;
	memcpy(command->reply, &access, sizeof(access));
	if (device->regions[access.region].readable)
		device->ops->read(device->context, access.region, access.offset, data,
				  access.count);
	else
		memset(data, 0, access.count);
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
