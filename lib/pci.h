/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI functions of crossvm devices as sysfs shows them: finding, pairing, mapping their resources.
 */
#ifndef CROSSVM_LIB_PCI_H
#define CROSSVM_LIB_PCI_H

#include <stddef.h>
#include <stdint.h>

#include "lib/attribute.h"
#include "lib/mapping.h"

struct crossvm_pci_function {
	char sysfs[CROSSVM_PATH_BYTES]; /* its directory */
	char address[32];               /* "0000:00:04.0" */
	char driver[32];                /* "": none */
	uint32_t device;                /* CROSSVM_PCI_DEVICE_* */
	uint32_t subsystem;
	uint32_t revision;
};

/*
 * Call visit for each function with crossvm's vendor id and that device id, until it returns
 * something else than 0, which is then returned.
 */
int crossvm_pci_visit(const char *root, uint32_t device,
		      int (*visit)(void *context, const struct crossvm_pci_function *function),
		      void *context);

/*
 * The memory function that goes with an events function: same slot, same subsystem id.
 * @return 0 or -ENOENT.
 */
int crossvm_pci_pair(const char *root, const struct crossvm_pci_function *events,
		     struct crossvm_pci_function *memory);

/* Let the function answer to memory accesses, where neither firmware nor a driver has done so. */
int crossvm_pci_enable_memory(const struct crossvm_pci_function *function);

/* Take back "INTx disable", which the kernel sets at each interrupt. */
int crossvm_pci_unmask_intx(const struct crossvm_pci_function *function);
/* Set it: an interrupt that nobody handles can hold up all that share its line. */
int crossvm_pci_mask_intx(const struct crossvm_pci_function *function);

/*
 * Map a part of a BAR.
 *
 * @kept_fd: NULL, or set to the descriptor of the resource, to be closed by the caller.
 * @return 0 or -errno with a sentence.
 */
int crossvm_pci_map(const struct crossvm_pci_function *function, unsigned int bar, size_t offset,
		    size_t bytes, int protection, struct crossvm_mapping *mapping, int *kept_fd);

#endif
