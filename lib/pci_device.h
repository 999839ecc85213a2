/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's device without our driver, as one or two PCI functions: what is the same in
 * whichever way their BARs are mapped.
 */
#ifndef CROSSVM_LIB_PCI_DEVICE_H
#define CROSSVM_LIB_PCI_DEVICE_H

#include "lib/backend.h"
#include "lib/pci.h"

/* A way to map BARs. Functions return 0 or -errno with a sentence. */
struct crossvm_pci_way {
	/* Let the function answer to memory accesses. */
	int (*enable)(void *context, const struct crossvm_pci_function *function);
	int (*map)(void *context, const struct crossvm_pci_function *function, unsigned int bar,
		   size_t offset, size_t bytes, int protection, struct crossvm_mapping *mapping);
	void *context;
};

/* The connection's name, cleaned, from the mapped registers. */
void crossvm_pci_device_name(const struct crossvm_mapping *registers,
			     char name[CROSSVM_NAME_BYTES]);

/* What a list shows of a device, but the backend. */
void crossvm_pci_device_describe(const struct crossvm_mapping *registers,
				 struct crossvm_list_entry *entry);

/*
 * Check the device whose registers conn has mapped, find its memory in either layout, and map what
 * conn's access asks for.
 *
 * @return 0 or -errno with a sentence; what has been mapped stays in conn.
 */
int crossvm_pci_device_attach(struct crossvm_connection *conn, const char *root,
			      const struct crossvm_pci_function *events,
			      const struct crossvm_pci_way *way);

/* Tell the host that this member has the connection open; it knows on return. */
void crossvm_pci_device_open(struct crossvm_connection *conn);
void crossvm_pci_device_close(struct crossvm_connection *conn);

#endif
