/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a platform brings so that the core of vmm/ can implement <cross_vm_connection.h> on it. A
 * program links the core and exactly one platform: vmm/linux (Linux), vmm/sel4, or a test's fake.
 *
 * A connection's life, as the platform sees it:
 *
 *	create	for each connection of an init call: check what only the platform can, give memory
 *	install	for each, once all are created: make it visible to the guest
 *	...	guest input: the platform calls crossvm_device_*() on connection->device;
 *		events: the core records them and calls interrupt
 *	remove	the guest sees it no more
 *	destroy	everything is given back
 *
 * What changes while a connection is installed stands in the memory that create gave: the device's
 * state, status page and mirror, and whatever the platform keeps. All else is constant then, so a
 * process cloned after init may go on with a copy of it.
 */
#ifndef CROSSVM_VMM_PLATFORM_H
#define CROSSVM_VMM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cross_vm_connection.h>

#include "device/device.h"

struct crossvm_vmm; /* the connections of one VM, see vmm/vmm.h */

struct crossvm_vmm_connection {
	vm_t *vm;
	vmm_pci_space_t *pci;
	unsigned int index; /* among the VM's connections, from 0 */
	int irq;            /* from alloc_irq */
	/* What the device is. dataport_bytes equals num_frames times frame_bytes. */
	struct crossvm_device_options options;
	seL4_Word consume_id;
	bool consumes; /* false: no events come in, consume_id says so */

	/*
	 * create sets state, status, and mirror where the platform wants one (.reads_untrapped);
	 * ops and context are the core's.
	 */
	struct crossvm_device device;
	void *platform;                    /* the platform's own */
	struct crossvm_doorbell *doorbell; /* NULL: none */

	/* The core's. */
	emit_fn emit_fn;
	const struct crossvm_connection_callbacks *callbacks;
	void *context;
	bool created; /* by the platform */
	bool installed;

	size_t frame_bytes;
	size_t num_frames; /* 0: event-only */
	seL4_CPtr frames[];
};

struct crossvm_platform {
	/* Every device has the single layout, whatever the options say. */
	bool single_layout;
	/* Devices offer MSI. */
	bool msi;
	/* The guest reads registers from the mirror, only its writes trap. */
	bool reads_untrapped;
	/*
	 * Nobody else assigns addresses: the core places all BARs from connection_base_addr on,
	 * each aligned to its size, enables memory decoding and stores irq in the interrupt line.
	 * The platform finds the addresses with crossvm_device_bar_address() in install.
	 */
	bool places_devices;

	/*
	 * Where the state of a VM hangs. get returns what set was last given, NULL at first; it is
	 * called for every event and so must take the same time however many connections there are.
	 * set returns 0 or -errno; it never fails to take NULL. Each value is set once, and taken
	 * back by setting NULL.
	 */
	struct crossvm_vmm *(*get)(vm_t *vm);
	int (*set)(vm_t *vm, struct crossvm_vmm *vmm);
	/*
	 * Every value that is set, counted from 0 in any order, then NULL: for events whose caller
	 * does not name the VM. NULL where callers must.
	 */
	struct crossvm_vmm *(*nth)(unsigned int n);

	/* Zeroed memory, aligned for any type, or NULL. release accepts NULL. */
	void *(*allocate)(vm_t *vm, size_t bytes);
	void (*release)(vm_t *vm, void *memory, size_t bytes);

	/*
	 * Check frames, pci and irq, and give the memory of connection->device: state, the status
	 * page (a page of its own, zeroed) and the mirror (likewise). Nothing of it is initialised
	 * yet. The core touches both pages with aligned 32 and 64-bit stores only, so they may be
	 * mapped as device memory.
	 *
	 * @return 0, or -errno after crossvm_vmm_error(); then nothing is kept.
	 */
	int (*create)(struct crossvm_vmm_connection *connection);
	void (*destroy)(struct crossvm_vmm_connection *connection);

	/*
	 * Make the device, now initialised, visible to the guest: addresses, PCI entry, interrupt.
	 *
	 * @return 0, or -errno after crossvm_vmm_error(); then nothing is kept.
	 */
	int (*install)(struct crossvm_vmm_connection *connection);
	void (*remove)(struct crossvm_vmm_connection *connection);

	/*
	 * Something was recorded in the device that the guest is to know: interrupt it. With
	 * reads_untrapped, only if crossvm_device_intx_level() says so: if not, another thread has
	 * still to publish it, and comes here afterwards. May run in another thread than guest input,
	 * see <cross_vm_connection.h>.
	 */
	void (*interrupt)(struct crossvm_vmm_connection *connection);
	/*
	 * The guest wrote something that may have changed crossvm_device_intx_level(). Runs within
	 * the crossvm_device_*() call that caused it, so in the thread of guest input.
	 */
	void (*interrupt_changed)(struct crossvm_vmm_connection *connection);

	/*
	 * The guest stored CROSSVM_CONTROL_*, maybe the same again, or reset did. NULL: of no interest.
	 */
	void (*control_changed)(struct crossvm_vmm_connection *connection, uint32_t control);

	/* Tell a person what is wrong; message is a line without newline. vm may be NULL. */
	void (*error)(vm_t *vm, const char *message);
};

/* The program's platform. */
extern const struct crossvm_platform crossvm_platform;

/* For platforms. */

/* Report an error of a connection; the message will name it by number and name. */
__attribute__((format(printf, 2, 3))) void
crossvm_vmm_error(const struct crossvm_vmm_connection *connection, const char *format, ...);

/*
 * The guest's side came (the device is attached to a running VM) or went. Tells the callback
 * state_changed; what the guest itself says with CROSSVM_CONTROL_OPEN is the core's affair.
 */
void crossvm_vmm_attached(struct crossvm_vmm_connection *connection, bool attached);

#endif
