/* SPDX-License-Identifier: BSD-2-Clause */
/* What there is: the device, its regions, its interrupts. */
#include "vfio_user/internal.h"

#include <errno.h>
#include <string.h>

/*
 * How many indices of interrupts there are: INTx, MSI, MSI-X, of which VFIO_DEVICE_GET_INFO tells. The
 * kernel knows two more, which are for devices on PCI Express. A client that goes by our number asks
 * for neither. QEMU asks all the same, takes an error for an answer, and warns if it gets any other.
 */
#define IRQ_INDICES (VFIO_PCI_MSIX_IRQ_INDEX + 1)

/* The payload of the answer about a region that can be mapped: the info and one capability. */
#define SPARSE_OFFSET sizeof(struct vfio_region_info)
#define AREA_OFFSET   (SPARSE_OFFSET + sizeof(struct vfio_region_info_cap_sparse_mmap))
#define MAPPED_BYTES  (AREA_OFFSET + sizeof(struct vfio_region_sparse_mmap_area))

static_assert(MAPPED_BYTES == 32 + 16 + 16, "as on the socket");

static void put_sparse(unsigned char *reply, const struct vfio_user_region *region)
{
	const struct vfio_region_info_cap_sparse_mmap sparse = {
		.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1},
		.nr_areas = 1,
	};
	const struct vfio_region_sparse_mmap_area area = {
		.offset = region->map_offset,
		.size = region->map_bytes,
	};

	memcpy(reply + SPARSE_OFFSET, &sparse, sizeof(sparse));
	memcpy(reply + AREA_OFFSET, &area, sizeof(area));
}

int vfio_user_do_device_info(struct vfio_user_command *command)
{
	/* Without the capabilities that newer kernels have appended to struct vfio_device_info. */
	const uint32_t info[4] = {
		[0] = sizeof(info),
		[1] = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		[2] = VFIO_PCI_NUM_REGIONS,
		[3] = IRQ_INDICES,
	};

	memcpy(command->reply, info, sizeof(info));
	command->reply_bytes = sizeof(info);
	return 0;
}

int vfio_user_do_region_info(struct vfio_user_command *command)
{
	const struct vfio_user_region *region;
	struct vfio_region_info info;
	uint32_t room;

	memcpy(&info, command->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	room = info.argsz;
	region = &command->device->regions[info.index];
	info = (struct vfio_region_info){
		.argsz = sizeof(info),
		.index = info.index,
		.flags = (region->readable ? VFIO_REGION_INFO_FLAG_READ : 0) |
			 (region->writable ? VFIO_REGION_INFO_FLAG_WRITE : 0),
		.size = region->bytes,
	};
	command->reply_bytes = sizeof(info);
	if (region->map_bytes) {
		/*
		 * A client that has no room yet learns how much it takes, and asks again. The short
		 * answer has the flags and cap_offset as well: QEMU insists.
		 */
		info.argsz = MAPPED_BYTES;
		info.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
		info.cap_offset = SPARSE_OFFSET;
		info.offset = region->fd_offset;
		if (room >= MAPPED_BYTES) {
			put_sparse(command->reply, region);
			command->reply_bytes = MAPPED_BYTES;
			command->reply_fd = region->fd;
		}
	}
	memcpy(command->reply, &info, sizeof(info));
	return 0;
}

int vfio_user_do_region_io_fds(struct vfio_user_command *command)
{
	struct vfio_user_io_fds fds;

	memcpy(&fds, command->payload, sizeof(fds));
	if (fds.argsz < sizeof(fds) || fds.flags || fds.index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	/* No region can be accessed that way: a write to a register must say what it wrote. */
	fds.argsz = sizeof(fds);
	fds.count = 0;
	memcpy(command->reply, &fds, sizeof(fds));
	command->reply_bytes = sizeof(fds);
	return 0;
}

int vfio_user_do_irq_info(struct vfio_user_command *command)
{
	struct vfio_irq_info info;

	memcpy(&info, command->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	if (info.index >= IRQ_INDICES) {
		command->expected = true;
		return -EINVAL;
	}
	info.argsz = sizeof(info);
	info.flags = 0;
	info.count = 0;
	if (info.index == VFIO_PCI_INTX_IRQ_INDEX && command->device->intx) {
		info.flags =
			VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
		info.count = 1;
	} else if (info.index == VFIO_PCI_MSI_IRQ_INDEX && command->device->msi) {
		info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
		info.count = 1;
	}
	memcpy(command->reply, &info, sizeof(info));
	command->reply_bytes = sizeof(info);
	return 0;
}
