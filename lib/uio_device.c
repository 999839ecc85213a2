/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/uio_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"

#define MAX_MAPS 5 /* the kernel's MAX_UIO_MAPS */

/*
 * The interrupt count at the moment, from sysfs: read() tells the count only once it has changed.
 */
static uint32_t count_now(const struct crossvm_uio *uio)
{
	uint64_t count;

	if (crossvm_attribute_number(uio->sysfs, "event", &count))
		return 0;
	return (uint32_t)count;
}

int crossvm_uio_device_open(struct crossvm_uio *uio, const char *root, const char *entry,
			    const char *name, bool writable)
{
	int flags = (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC;
	char path[CROSSVM_PATH_BYTES];
	int error;

	uio->fd = -1;
	if (crossvm_path(uio->sysfs, "%s/sys/class/uio/%s", root, entry) ||
	    crossvm_path(path, "%s/dev/%s", root, entry))
		return crossvm_fail(-ENAMETOOLONG, "%s: the path of its UIO device is too long",
				    name);
	/* First the count, then the device: an interrupt in between counts as one since open. */
	uio->count = count_now(uio);
	uio->fd = open(path, flags);
	if (uio->fd < 0 && errno == ENOENT && !crossvm_path(path, "%s/dev/crossvm/%s", root, name))
		uio->fd = open(path, flags);
	if (uio->fd >= 0)
		return 0;
	error = -errno;
	if (error == -EACCES || error == -EPERM)
		return crossvm_fail(
			-EACCES,
			"%s: user %u may not open %s for %s; join the group of that file "
			"(crossvm, with the udev rule installed) and log in again",
			name, geteuid(), path, writable ? "writing" : "reading");
	return crossvm_fail(error, "%s: cannot open %s: %s", name, path, strerror(-error));
}

void crossvm_uio_device_close(struct crossvm_uio *uio)
{
	if (uio->fd >= 0)
		close(uio->fd);
	uio->fd = -1;
}

int64_t crossvm_uio_device_take(struct crossvm_uio *uio)
{
	uint32_t count;
	uint32_t taken;
	ssize_t length = read(uio->fd, &count, sizeof(count));

	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (length != sizeof(count))
		return -EIO;
	taken = count - uio->count;
	uio->count = count;
	return taken;
}

int crossvm_uio_device_sleep(const struct crossvm_uio *uio, int timeout_ms)
{
	struct pollfd wanted = {.fd = uio->fd, .events = POLLIN};
	int ready = poll(&wanted, 1, timeout_ms);

	if (ready < 0)
		return errno == EINTR ? crossvm_fail_fixed(-EINTR, "a signal came while waiting")
				      : crossvm_fail(-errno, "cannot wait: %s", strerror(errno));
	/* A removed device is always ready; the next read says so. */
	return ready ? 0 : -ETIMEDOUT;
}

int crossvm_uio_device_find_map(const char *sysfs, const char *name, uint64_t *bytes)
{
	for (int map = 0; map < MAX_MAPS; map++) {
		char directory[CROSSVM_PATH_BYTES];
		char found[32];
		int error = crossvm_path(directory, "%s/maps/map%d", sysfs, map);

		if (error)
			return error;
		error = crossvm_attribute_text(directory, "name", found, sizeof(found));
		if (error || strcmp(found, name) != 0)
			continue;
		error = crossvm_attribute_number(directory, "size", bytes);
		return error ? error : map;
	}
	return -ENOENT;
}
