/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/pci.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <crossvm/abi.h>

#include "lib/error.h"

/* Config space, PCI Local Bus Specification 3.0, 6.2.2. */
#define CONFIG_COMMAND       4
#define COMMAND_INTX_DISABLE 0x0400u

/*
 * On arm64 the plain mapping of a resource is Device memory, slow and without unaligned accesses;
 * the write-combining one is normal memory that is not cached. On x86-64 write combining would
 * weaken the order of stores that x86 programs rely on.
 */
#ifdef __aarch64__
#define RESOURCE_SUFFIX "_wc"
#else
#define RESOURCE_SUFFIX ""
#endif

static int read_number(const char *directory, const char *attribute, uint32_t *number)
{
	uint64_t value;
	int error = crossvm_attribute_number(directory, attribute, &value);

	if (!error && value > UINT32_MAX)
		error = -EPROTO;
	if (!error)
		*number = (uint32_t)value;
	return error;
}

static int read_function(const char *root, const char *address,
			 struct crossvm_pci_function *function)
{
	uint32_t vendor;
	int error;

	memset(function, 0, sizeof(*function));
	if (strlen(address) >= sizeof(function->address) ||
	    crossvm_path(function->sysfs, "%s/sys/bus/pci/devices/%s", root, address))
		return -ENAMETOOLONG;
	memcpy(function->address, address, strlen(address));
	if (read_number(function->sysfs, "vendor", &vendor) || vendor != CROSSVM_PCI_VENDOR ||
	    read_number(function->sysfs, "device", &function->device) ||
	    read_number(function->sysfs, "subsystem_device", &function->subsystem) ||
	    read_number(function->sysfs, "revision", &function->revision))
		return -ENODEV;
	error = crossvm_attribute_link(function->sysfs, "driver", function->driver,
				       sizeof(function->driver));
	if (error == -ENOENT)
		function->driver[0] = '\0';
	else if (error)
		return error;
	return 0;
}

struct visit {
	const char *root;
	uint32_t device;
	int (*visit)(void *context, const struct crossvm_pci_function *function);
	void *context;
};

static int look_at(void *context, const char *address)
{
	const struct visit *visit = context;
	struct crossvm_pci_function function;

	if (read_function(visit->root, address, &function) || function.device != visit->device)
		return 0;
	return visit->visit(visit->context, &function);
}

int crossvm_pci_visit(const char *root, uint32_t device,
		      int (*visit)(void *context, const struct crossvm_pci_function *function),
		      void *context)
{
	struct visit all = {root, device, visit, context};
	char directory[CROSSVM_PATH_BYTES];

	if (crossvm_path(directory, "%s/sys/bus/pci/devices", root))
		return crossvm_fail(-ENAMETOOLONG, "the path of the PCI devices is too long");
	return crossvm_directory_visit(directory, look_at, &all);
}

struct pairing {
	const struct crossvm_pci_function *events;
	struct crossvm_pci_function *memory;
};

static int is_partner(void *context, const struct crossvm_pci_function *function)
{
	const struct pairing *pairing = context;
	size_t slot = strcspn(pairing->events->address, ".");

	if (strncmp(function->address, pairing->events->address, slot + 1) != 0 ||
	    function->subsystem != pairing->events->subsystem)
		return 0;
	*pairing->memory = *function;
	return 1;
}

int crossvm_pci_pair(const char *root, const struct crossvm_pci_function *events,
		     struct crossvm_pci_function *memory)
{
	struct pairing pairing = {events, memory};

	return crossvm_pci_visit(root, CROSSVM_PCI_DEVICE_MEMORY, is_partner, &pairing) == 1
		       ? 0
		       : -ENOENT;
}

static int open_file(const struct crossvm_pci_function *function, const char *file, int flags,
		     int *fd)
{
	char path[CROSSVM_PATH_BYTES];
	int error = crossvm_path(path, "%s/%s", function->sysfs, file);

	if (error)
		return crossvm_fail(error, "PCI device %s: its path is too long",
				    function->address);
	*fd = open(path, flags | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	error = -errno;
	if (error == -EACCES || error == -EPERM)
		return crossvm_fail(
			-EACCES,
			"user %u may not open %s; load the module uio_crossvm, which gives "
			"access without root, or become root",
			geteuid(), path);
	return crossvm_fail(error, "cannot open %s: %s", path, strerror(-error));
}

/* Change bits of COMMAND; a write only where one is needed. */
static int change_command(const struct crossvm_pci_function *function, uint16_t clear, uint16_t set)
{
	uint16_t before, after;
	int fd;
	int error = open_file(function, "config", O_RDWR, &fd);

	if (error)
		return error;
	if (pread(fd, &before, sizeof(before), CONFIG_COMMAND) != sizeof(before)) {
		error = -EIO;
	} else {
		after = htole16((uint16_t)((le16toh(before) & ~clear) | set));
		if (after != before &&
		    pwrite(fd, &after, sizeof(after), CONFIG_COMMAND) != sizeof(after))
			error = -EIO;
	}
	close(fd);
	return error ? crossvm_fail(error, "PCI device %s: cannot change its command register",
				    function->address)
		     : 0;
}

int crossvm_pci_unmask_intx(const struct crossvm_pci_function *function)
{
	return change_command(function, COMMAND_INTX_DISABLE, 0);
}

int crossvm_pci_mask_intx(const struct crossvm_pci_function *function)
{
	return change_command(function, 0, COMMAND_INTX_DISABLE);
}

/* Has anybody enabled it, a driver or we? The kernel counts how often. */
static int is_enabled(const struct crossvm_pci_function *function, bool *enabled)
{
	uint64_t count = 0;
	int error = crossvm_attribute_number(function->sysfs, "enable", &count);

	*enabled = count > 0;
	return error ? crossvm_fail(error, "PCI device %s: cannot read whether it is enabled",
				    function->address)
		     : 0;
}

static int enable(const struct crossvm_pci_function *function)
{
	int fd;
	int error = open_file(function, "enable", O_WRONLY, &fd);

	if (error)
		return error;
	if (write(fd, "1", 1) != 1)
		error = crossvm_fail(-errno, "PCI device %s: cannot enable it: %s",
				     function->address, strerror(errno));
	close(fd);
	return error;
}

int crossvm_pci_enable_memory(const struct crossvm_pci_function *function)
{
	bool enabled;
	int error = is_enabled(function, &enabled);

	if (!error && !enabled)
		error = enable(function);
	if (error || function->driver[0])
		return error;
	/* That has switched its interrupt on, too. A driver that comes later leaves this as it is. */
	return crossvm_pci_mask_intx(function);
}

static int open_resource(const struct crossvm_pci_function *function, unsigned int bar, int flags,
			 int *fd)
{
	char path[CROSSVM_PATH_BYTES];
	char file[32];

	snprintf(file, sizeof(file), "resource%u" RESOURCE_SUFFIX, bar);
	if (crossvm_path(path, "%s/%s", function->sysfs, file) || access(path, F_OK))
		snprintf(file, sizeof(file), "resource%u", bar);
	return open_file(function, file, flags, fd);
}

int crossvm_pci_map(const struct crossvm_pci_function *function, unsigned int bar, size_t offset,
		    size_t bytes, int protection, struct crossvm_mapping *mapping, int *kept_fd)
{
	struct stat status;
	int fd;
	int error = open_resource(function, bar, protection & PROT_WRITE ? O_RDWR : O_RDONLY, &fd);

	if (error)
		return error;
	if (fstat(fd, &status) < 0 || status.st_size < 0 || (uint64_t)status.st_size < bytes ||
	    (uint64_t)status.st_size - bytes < offset)
		error = crossvm_fail(-EPROTO,
				     "PCI device %s: its BAR %u has no %zu bytes at offset %zu",
				     function->address, bar, bytes, offset);
	if (!error) {
		error = crossvm_map(mapping, fd, (off_t)offset, bytes, protection);
		if (error)
			crossvm_explain("PCI device %s: cannot map %zu bytes of BAR %u: %s",
					function->address, bytes, bar, strerror(-error));
	}
	if (error || !kept_fd)
		close(fd);
	else
		*kept_fd = fd;
	return error;
}
