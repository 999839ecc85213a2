/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A UIO device file, whatever driver is behind it: opening, interrupts, maps by name.
 */
#ifndef CROSSVM_LIB_UIO_DEVICE_H
#define CROSSVM_LIB_UIO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/attribute.h"
#include "lib/backend.h"

struct crossvm_uio {
	char sysfs[CROSSVM_PATH_BYTES]; /* ROOT/sys/class/uio/uioN */
	int fd;                         /* not blocking */
	uint32_t count;                 /* of interrupts, as last read */
};

/*
 * Open the device file of a UIO device.
 *
 * @entry: "uioN".
 * @name: of the connection, for /dev/crossvm/NAME where /dev/uioN is not to be seen.
 * @return 0 or -errno with a sentence.
 */
int crossvm_uio_device_open(struct crossvm_uio *uio, const char *root, const char *entry,
			    const char *name, bool writable);
void crossvm_uio_device_close(struct crossvm_uio *uio);

/*
 * Take the interrupts since the last call.
 *
 * @return how many, or -errno: -EIO when the device has been removed.
 */
int64_t crossvm_uio_device_take(struct crossvm_uio *uio);

/*
 * Sleep until an interrupt comes; as crossvm_backend_ops.sleep.
 */
int crossvm_uio_device_sleep(const struct crossvm_uio *uio, int timeout_ms);

/*
 * Find a map by its name.
 *
 * @bytes: set to its size.
 * @return its index, -ENOENT, or another -errno. Silent.
 */
int crossvm_uio_device_find_map(const char *sysfs, const char *name, uint64_t *bytes);

#endif
