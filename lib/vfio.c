/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/vfio.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/error.h"

/* Config space, PCI Local Bus Specification 3.0, 6.2.2. */
#define CONFIG_COMMAND     4
#define COMMAND_MEMORY     0x0002u
#define COMMAND_BUS_MASTER 0x0004u

struct crossvm_vfio_group {
	struct crossvm_vfio_group *next;
	struct crossvm_vfio *members;
	char path[CROSSVM_PATH_BYTES];
	int fd;
};

/*
 * The groups that this process has open. The one list of the library that is no object's: so it is
 * in the kernel, which refuses to open a group twice, whoever in the process asks.
 */
static struct crossvm_vfio_group *groups;
static pthread_mutex_t groups_lock = PTHREAD_MUTEX_INITIALIZER;

static int open_group_file(const struct crossvm_pci_function *function, const char *path, int *fd)
{
	int error;

	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	error = -errno;
	if (error == -EBUSY)
		return crossvm_fail(error,
				    "PCI device %s: another process uses it or another function of "
				    "its IOMMU group, %s; with vfio-pci only one can",
				    function->address, path);
	if (error == -EACCES || error == -EPERM)
		return crossvm_fail(-EACCES,
				    "user %u may not open %s; give that file to the user or "
				    "group, or load the module uio_crossvm instead",
				    geteuid(), path);
	return crossvm_fail(error, "PCI device %s: cannot open %s: %s", function->address, path,
			    strerror(-error));
}

static int check_group(const struct crossvm_pci_function *function, int group_fd)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	if (ioctl(group_fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return crossvm_fail(-errno, "PCI device %s: its IOMMU group has no status: %s",
				    function->address, strerror(errno));
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return crossvm_fail(-EBUSY,
				    "PCI device %s: another function of its IOMMU group is bound "
				    "to another driver; bind all functions of the slot to vfio-pci",
				    function->address);
	return 0;
}

/* The group keeps the container, so nobody else has to. */
static int set_container(const struct crossvm_pci_function *function, const char *root,
			 int group_fd)
{
	char path[CROSSVM_PATH_BYTES];
	int error = crossvm_path(path, "%s/dev/vfio/vfio", root);
	int fd;

	if (error)
		return crossvm_fail(error, "the path of the VFIO device is too long");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return crossvm_fail(-errno, "cannot open %s: %s", path, strerror(errno));
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		error = crossvm_fail(-EPROTO, "%s speaks another version", path);
	else if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		error = crossvm_fail(-ENODEV,
				     "%s has no IOMMU; load the module vfio_iommu_type1, and give "
				     "the VM an IOMMU",
				     path);
	else if (ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &fd) < 0 ||
		 ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		error = crossvm_fail(-errno,
				     "PCI device %s: its IOMMU group cannot be set up: %s; the "
				     "VM's IOMMU must remap interrupts",
				     function->address, strerror(errno));
	close(fd);
	return error;
}

static int open_group(const struct crossvm_pci_function *function, const char *root,
		      const char *path, struct crossvm_vfio_group **opened)
{
	struct crossvm_vfio_group *group = calloc(1, sizeof(*group));
	int error;

	if (!group)
		return crossvm_fail(-ENOMEM, "PCI device %s: out of memory", function->address);
	snprintf(group->path, sizeof(group->path), "%s", path);
	error = open_group_file(function, path, &group->fd);
	if (error) {
		free(group);
		return error;
	}
	error = check_group(function, group->fd);
	if (!error)
		error = set_container(function, root, group->fd);
	if (error) {
		close(group->fd);
		free(group);
		return error;
	}
	group->next = groups;
	groups = group;
	*opened = group;
	return 0;
}

static void close_group(const struct crossvm_vfio_group *group)
{
	struct crossvm_vfio_group **link = &groups;

	while (*link != group)
		link = &(*link)->next;
	*link = group->next;
	close(group->fd);
}

static int find_group(const struct crossvm_pci_function *function, const char *root,
		      struct crossvm_vfio_group **found)
{
	char path[CROSSVM_PATH_BYTES], number[32];

	if (crossvm_attribute_link(function->sysfs, "iommu_group", number, sizeof(number)))
		return crossvm_fail(-ENODEV,
				    "PCI device %s is bound to vfio-pci, but in no IOMMU group; "
				    "give the VM an IOMMU",
				    function->address);
	if (crossvm_path(path, "%s/dev/vfio/%s", root, number))
		return crossvm_fail(-ENAMETOOLONG, "PCI device %s: its path is too long",
				    function->address);
	for (*found = groups; *found; *found = (*found)->next)
		if (strcmp((*found)->path, path) == 0)
			return 0;
	return open_group(function, root, path, found);
}

/* A second one would take the interrupt away from the first. */
static bool is_member(const struct crossvm_vfio_group *group, const char *address)
{
	for (const struct crossvm_vfio *member = group->members; member; member = member->next)
		if (strcmp(member->address, address) == 0)
			return true;
	return false;
}

static int join_group(struct crossvm_vfio *vfio, const char *root,
		      const struct crossvm_pci_function *function)
{
	struct crossvm_vfio_group *group;
	int error = find_group(function, root, &group);

	if (error)
		return error;
	if (is_member(group, function->address))
		return crossvm_fail(-EBUSY,
				    "PCI device %s: this process has it open already; with "
				    "vfio-pci that goes but once",
				    function->address);
	vfio->fd = ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, function->address);
	if (vfio->fd < 0) {
		error = crossvm_fail(-errno, "PCI device %s: cannot open it by vfio-pci: %s",
				     function->address, strerror(errno));
		if (!group->members) {
			close_group(group);
			free(group);
		}
		return error;
	}
	snprintf(vfio->address, sizeof(vfio->address), "%s", function->address);
	vfio->group = group;
	vfio->next = group->members;
	group->members = vfio;
	return 0;
}

static void leave_group(struct crossvm_vfio *vfio)
{
	struct crossvm_vfio_group *group = vfio->group;
	struct crossvm_vfio **link = &group->members;

	while (*link != vfio)
		link = &(*link)->next;
	*link = vfio->next;
	if (group->members)
		return;
	close_group(group);
	free(group);
}

static int find_region(const struct crossvm_vfio *vfio, unsigned int index,
		       struct vfio_region_info *region)
{
	*region = (struct vfio_region_info){.argsz = sizeof(*region), .index = index};
	if (ioctl(vfio->fd, VFIO_DEVICE_GET_REGION_INFO, region) < 0)
		return crossvm_fail(-errno,
				    "PCI device %s: vfio-pci does not tell of region %u: %s",
				    vfio->address, index, strerror(errno));
	return 0;
}

/* vfio-pci takes bus mastering away, without which there is no MSI. */
static int enable(const struct crossvm_vfio *vfio)
{
	struct vfio_region_info config;
	uint16_t command;
	int error = find_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config);

	if (error)
		return error;
	if (pread(vfio->fd, &command, sizeof(command), (off_t)config.offset + CONFIG_COMMAND) !=
	    sizeof(command))
		error = -EIO;
	command = htole16(le16toh(command) | COMMAND_MEMORY | COMMAND_BUS_MASTER);
	if (!error && pwrite(vfio->fd, &command, sizeof(command),
			     (off_t)config.offset + CONFIG_COMMAND) != sizeof(command))
		error = -EIO;
	return error ? crossvm_fail(error, "PCI device %s: cannot enable it by vfio-pci",
				    vfio->address)
		     : 0;
}

int crossvm_vfio_open(struct crossvm_vfio *vfio, const char *root,
		      const struct crossvm_pci_function *function)
{
	int error;

	*vfio = (struct crossvm_vfio){.fd = -1};
	pthread_mutex_lock(&groups_lock);
	error = join_group(vfio, root, function);
	pthread_mutex_unlock(&groups_lock);
	if (!error)
		error = enable(vfio);
	if (error)
		crossvm_vfio_close(vfio);
	return error;
}

void crossvm_vfio_close(struct crossvm_vfio *vfio)
{
	if (!vfio->group)
		return;
	close(vfio->fd);
	pthread_mutex_lock(&groups_lock);
	leave_group(vfio);
	pthread_mutex_unlock(&groups_lock);
	*vfio = (struct crossvm_vfio){.fd = -1};
}

int crossvm_vfio_map(const struct crossvm_vfio *vfio, unsigned int bar, size_t offset, size_t bytes,
		     int protection, struct crossvm_mapping *mapping)
{
	struct vfio_region_info region;
	int error = find_region(vfio, bar, &region);

	if (error)
		return error;
	if (region.size < bytes || region.size - bytes < offset)
		return crossvm_fail(-EPROTO,
				    "PCI device %s: its BAR %u has no %zu bytes at offset %zu",
				    vfio->address, bar, bytes, offset);
	if (!(region.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return crossvm_fail(-ENOTSUP,
				    "PCI device %s: vfio-pci does not map its BAR %u; load the "
				    "module uio_crossvm instead",
				    vfio->address, bar);
	error = crossvm_map(mapping, vfio->fd, (off_t)(region.offset + offset), bytes, protection);
	return error ? crossvm_fail(error, "PCI device %s: cannot map %zu bytes of BAR %u: %s",
				    vfio->address, bytes, bar, strerror(-error))
		     : 0;
}

/* @data: an eventfd; -1: none. */
static int set_irq(const struct crossvm_vfio *vfio, uint32_t index, uint32_t flags, int data)
{
	union {
		struct vfio_irq_set set;
		unsigned char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} request = {.set = {.argsz = sizeof(request.set),
			     .flags = flags,
			     .index = index,
			     .start = 0,
			     .count = 1}};

	if (data >= 0) {
		request.set.argsz = sizeof(request.bytes);
		memcpy(request.set.data, &data, sizeof(data));
	}
	return ioctl(vfio->fd, VFIO_DEVICE_SET_IRQS, &request) < 0 ? -errno : 0;
}

static bool has_irq(const struct crossvm_vfio *vfio, uint32_t index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	return ioctl(vfio->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 && info.count > 0 &&
	       (info.flags & VFIO_IRQ_INFO_EVENTFD);
}

int crossvm_vfio_interrupts(const struct crossvm_vfio *vfio, int event_fd, bool *msi)
{
	const uint32_t trigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	int error = -ENOENT;

	*msi = has_irq(vfio, VFIO_PCI_MSI_IRQ_INDEX) &&
	       set_irq(vfio, VFIO_PCI_MSI_IRQ_INDEX, trigger, event_fd) == 0;
	if (*msi)
		return 0;
	if (has_irq(vfio, VFIO_PCI_INTX_IRQ_INDEX))
		error = set_irq(vfio, VFIO_PCI_INTX_IRQ_INDEX, trigger, event_fd);
	if (error && error != -ENOENT)
		return crossvm_fail(error, "PCI device %s: vfio-pci gives no interrupt: %s",
				    vfio->address, strerror(-error));
	return error;
}

int crossvm_vfio_unmask_intx(const struct crossvm_vfio *vfio)
{
	int error = set_irq(vfio, VFIO_PCI_INTX_IRQ_INDEX,
			    VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, -1);

	return error ? crossvm_fail(error, "PCI device %s: vfio-pci does not unmask INTx: %s",
				    vfio->address, strerror(-error))
		     : 0;
}

int crossvm_vfio_requests(const struct crossvm_vfio *vfio, int event_fd)
{
	int error = set_irq(vfio, VFIO_PCI_REQ_IRQ_INDEX,
			    VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, event_fd);

	return error ? crossvm_fail(error,
				    "PCI device %s: vfio-pci does not tell of its removal: %s",
				    vfio->address, strerror(-error))
		     : 0;
}
