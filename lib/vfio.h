/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI functions that are bound to vfio-pci: opened, mapped, with interrupts as eventfds.
 *
 * The kernel hands out such functions by IOMMU groups (all functions of a slot are one), and opens a
 * group for one process at a time. Within the process, connections of a group share it.
 */
#ifndef CROSSVM_LIB_VFIO_H
#define CROSSVM_LIB_VFIO_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/mapping.h"
#include "lib/pci.h"

#define CROSSVM_VFIO_DRIVER "vfio-pci"

struct crossvm_vfio_group;

struct crossvm_vfio {
	struct crossvm_vfio_group *group; /* NULL: not open */
	struct crossvm_vfio *next;        /* of the group */
	char address[32];
	int fd;
};

/*
 * Open a function, and let it answer to memory accesses and send messages.
 *
 * @root: before every path, "" but in tests.
 * @return 0, -EBUSY (another process, or another open connection of this one, has it), -EACCES, or
 *   another -errno, with a sentence.
 */
int crossvm_vfio_open(struct crossvm_vfio *vfio, const char *root,
		      const struct crossvm_pci_function *function);
/* Accepts what is not open. What was mapped stays mapped, and the function open for so long. */
void crossvm_vfio_close(struct crossvm_vfio *vfio);

/* Map a part of a BAR. @return 0 or -errno with a sentence. */
int crossvm_vfio_map(const struct crossvm_vfio *vfio, unsigned int bar, size_t offset, size_t bytes,
		     int protection, struct crossvm_mapping *mapping);

/*
 * Let interrupts write to an eventfd: by MSI if the function has it, else by INTx, which is masked
 * at each interrupt.
 *
 * @msi: set to whether it is MSI.
 * @return 0, -ENOENT without a sentence: it has no interrupt; or -errno with one.
 */
int crossvm_vfio_interrupts(const struct crossvm_vfio *vfio, int event_fd, bool *msi);
/* Take back the mask that came with an INTx. */
int crossvm_vfio_unmask_intx(const struct crossvm_vfio *vfio);

/* Let the kernel write to an eventfd when it wants the function back, because it is to be removed. */
int crossvm_vfio_requests(const struct crossvm_vfio *vfio, int event_fd);

#endif
