/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-VM connections: the interface that seL4 documents as cross_vm_connection.h, and what we
 * add to it. A VMM calls it to give its guest a set of connections as virtual PCI devices.
 *
 * On Linux, <crossvm/host.h> brings vm_t, vmm_pci_space_t, seL4_Word and seL4_CPtr, and tells how
 * to make a vm_t that QEMU attaches to. On seL4 they come from libsel4vm and libsel4vmmplatsupport.
 *
 * Where this header speaks of the documented interface, the source is the seL4 project's
 * libsel4vmmplatsupport documentation of the same name.
 *
 * Thread-safety: init, destroy, guest input and crossvm_peer_set() of one VM must not run at the same
 * time; consume_connection_event() and crossvm_consume_total() may run in another thread than these,
 * but not while destroy runs. Different VMs are independent. There is no state that VMs share.
 */
#ifndef CROSS_VM_CONNECTION_H
#define CROSS_VM_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/abi.h>
#include <crossvm/platform_types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef void (*emit_fn)(void);
typedef void (*event_callback_fn)(void *arg);
typedef int (*consume_callback_fn)(event_callback_fn callback, void *arg);
typedef int (*alloc_free_interrupt_fn)(void);

/*
 * A connection's dataport.
 *
 * size: the dataport's size in bytes, a whole number of pages; every frame then has
 *   size / num_frames bytes, which must be whole pages without remainder. A value below 64 is
 *   understood as frame_size_bits, the other spelling in use: frames of 2^frame_size_bits bytes
 *   each. (A size is never below 4096 and a bit count never above 63, so they cannot be mistaken.)
 * num_frames: how many frames there are, at least 1.
 * frames: the frames that back the dataport, in order. On seL4, capabilities; on Linux, values
 *   from crossvm_frames_from_memfd(). Copied by init; stays the caller's.
 */
typedef struct crossvm_dataport_handle {
	union {
		size_t size;
		size_t frame_size_bits;
	};
	int num_frames;
	seL4_CPtr *frames;
} crossvm_dataport_handle_t;

/*
 * A connection. Everything in it is copied by init: it may be freed right after.
 *
 * dataport: NULL makes a connection of events only.
 * emit_fn: called when the guest emits; NULL if nobody listens.
 * consume_id: what consume_connection_event() matches on; unique in the VM. (seL4_Word)-1, also as
 *   the unsigned 32-bit -1 widened, means that no events come in.
 * connection_name: 1 to CROSSVM_NAME_MAX bytes of [A-Za-z0-9_.-], not beginning with '.' or '-',
 *   unique in the VM. NULL: "connection-N", N counting the VM's connections from 0.
 */
typedef struct crossvm_handle {
	crossvm_dataport_handle_t *dataport;
	emit_fn emit_fn;
	seL4_Word consume_id;
	const char *connection_name;
} crossvm_handle_t;

/*
 * Install a set of connections into a guest VM, for either x86 or Arm VM platforms. May be called
 * any number of times for a VM: each call adds its connections. Either all of them are installed, or
 * none and everything is given back.
 *
 * @vm: the VM.
 * @connection_base_addr: guest-physical address from which on to place the devices' memory; page
 *   aligned. Every BAR is aligned to its size, the largest come first. Where the guest's firmware
 *   or operating system assigns BARs itself (Linux hosts: QEMU), it is checked and then only a
 *   hint.
 * @connections: the set of connections; copied.
 * @num_connections: how many, at least 0.
 * @pci: the VM's PCI space, in which the connections are advertised.
 * @alloc_irq: called once for every connection to allocate its interrupt number. The same number
 *   may come again: those connections share the line. A number that the platform cannot
 *   deliver, a negative one among them, fails the call.
 *
 * @return 0, or -1 with a message in the platform's log that says which connection and why.
 */
int cross_vm_connections_init_common(vm_t *vm, uintptr_t connection_base_addr,
				     crossvm_handle_t *connections, int num_connections,
				     vmm_pci_space_t *pci, alloc_free_interrupt_fn alloc_irq);

/*
 * Relay an event to the guest: count it and, if inject_irq, interrupt the guest. No event is lost,
 * whatever the guest's driver is doing at the moment. An unknown event_id does nothing. Takes the
 * same time however many connections there are.
 *
 * @vm: the VM. (On seL4, NULL stands for the VM that has the id, if just one has; then no VM may be
 *   destroyed meanwhile.)
 * @event_id: the connection's consume_id.
 * @inject_irq: false if the caller raises the interrupt itself. It must then do so after every call,
 *   and not only for events of its own: the call may also have shown the guest what other threads have
 *   counted, for which they found nothing to inject yet.
 */
void consume_connection_event(vm_t *vm, seL4_Word event_id, bool inject_irq);

/* What follows goes beyond the documented interface. */

/* Passes to every function of struct crossvm_connection_options that is not NULL. */
struct crossvm_connection_callbacks {
	/* The guest emitted an event. Used in place of the handle's emit_fn. */
	void (*emit)(void *context);
	/*
	 * The guest's side came, went, or changed: state is CROSSVM_PEER_ABSENT, _PRESENT or _OPEN.
	 * Called for repetitions too.
	 */
	void (*state_changed)(void *context, uint32_t state);
};

struct crossvm_doorbell;

struct crossvm_connection_options {
	crossvm_handle_t handle;
	const struct crossvm_connection_callbacks
		*callbacks; /* must outlive the connection; NULL: none */
	void *context;
	/* CROSSVM_ACCESS_*; 0: read and write. Read-only is enforced by the memory mapping. */
	uint32_t access;
	/* The connection's identity among its members; all 0: numbered by the VM, one of two members. */
	uint32_t connection_id;
	uint32_t member_id;
	uint32_t member_count;
	/* One PCI function with everything in it, for old guest software. Always so on seL4. */
	bool single_layout;
	/* Bit n: member n may write the dataport. 0: not told, for who does not know. */
	uint64_t writers;
	/* The caller reports peers with crossvm_peer_set(). */
	bool peers;
	/* On Linux, of two members: see <crossvm/host.h>. Must outlive the connection; NULL: none. */
	struct crossvm_doorbell *doorbell;
};

/*
 * As cross_vm_connections_init_common(), with everything that can be said of a connection.
 *
 * @return 0 or -errno, with a message likewise.
 */
int crossvm_connections_init(vm_t *vm, uintptr_t connection_base_addr,
			     const struct crossvm_connection_options *connections,
			     int num_connections, vmm_pci_space_t *pci,
			     alloc_free_interrupt_fn alloc_irq);

/* Remove all connections of a VM and give everything back. Accepts a VM without any. */
void crossvm_connections_destroy(vm_t *vm);

/*
 * As consume_connection_event(), but saying how many events there have been in all since init:
 * repeating a total, or an older one, does nothing.
 */
void crossvm_consume_total(vm_t *vm, seL4_Word event_id, uint64_t total, bool inject_irq);

/*
 * Tell the guest of a member's state (and its name, unless NULL) in its status page, and interrupt
 * it if it asked for that.
 *
 * @return 0, or -ENOENT (no such connection), -EINVAL (no such member).
 */
int crossvm_peer_set(vm_t *vm, seL4_Word event_id, uint32_t member_id, const char *name,
		     struct crossvm_peer_status status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
