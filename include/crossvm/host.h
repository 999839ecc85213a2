/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Linux program needs, besides <cross_vm_connection.h>, to be a VMM of its own: VMs that
 * QEMU (10.1 or newer) attaches to over vfio-user, frames from sealed memory fds, an event loop.
 *
 *	struct crossvm_host *host;
 *	vm_t *vm;
 *	crossvm_host_create(&(struct crossvm_host_options){0}, &host);
 *	crossvm_vm_create(host, &(struct crossvm_vm_options){.name = "guest", .socket_dir = dir}, &vm);
 *	... crossvm_dataport_create(), crossvm_frames_from_memfd() ...
 *	cross_vm_connections_init_common(vm, 0, handles, n, crossvm_vm_pci(vm),
 *					 crossvm_host_alloc_irq);
 *	... crossvm_vm_qemu_args() tells what to add to QEMU's command line ...
 *	while (running)
 *		crossvm_host_dispatch(host, -1);
 *	crossvm_connections_destroy(vm);
 *	crossvm_vm_destroy(vm);
 *	crossvm_host_destroy(host);
 *
 * Thread-safety: everything of one host, its VMs and their connections belongs to one thread at a
 * time. consume_connection_event() therefore runs in the thread that dispatches. Different hosts
 * are independent.
 *
 * Errors: 0 or -errno, unless said otherwise, and a sentence for a person through options.log.
 */
#ifndef CROSSVM_HOST_H
#define CROSSVM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <crossvm/platform_types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct crossvm_host;

enum crossvm_log_level {
	CROSSVM_LOG_ERROR,
	CROSSVM_LOG_WARNING,
	CROSSVM_LOG_INFO,
	CROSSVM_LOG_DEBUG,
};

/* message has no newline. What a guest or a client can provoke is rate-limited before it comes. */
typedef void (*crossvm_log_fn)(void *context, enum crossvm_log_level level, const char *message);

struct crossvm_host_options {
	crossvm_log_fn log; /* NULL: errors and warnings go to stderr */
	void *log_context;
	/*
	 * Bytes of the arena, the memory shared with processes cloned from this one in which all
	 * state stands that changes after initialisation (see crossvm_host_recover()). 0: 64 MiB of
	 * address space, of which only what is used takes memory.
	 */
	size_t arena_bytes;
};

int crossvm_host_create(const struct crossvm_host_options *options, struct crossvm_host **host);
/* All VMs must have been destroyed. NULL is accepted. */
void crossvm_host_destroy(struct crossvm_host *host);

/*
 * Becomes readable (poll, epoll) when crossvm_host_dispatch() has something to do. Stays the host's; it is
 * another one after crossvm_host_recover().
 */
int crossvm_host_fd(const struct crossvm_host *host);

/*
 * Serve what guests and other watched descriptors want.
 *
 * @timeout_ms: how long to wait for something to do; 0: not at all, -1: without limit.
 * @return how many descriptors were served, 0 after the timeout or a signal, or -errno.
 */
int crossvm_host_dispatch(struct crossvm_host *host, int timeout_ms);

/*
 * Watch a descriptor of the caller's own in the host's loop, or watch it otherwise than before. It stays
 * the caller's, who ends the watch before closing it. A process that goes on after another
 * (crossvm_host_recover()) has the watches that stood when it was cloned.
 *
 * @events: EPOLLIN and the like.
 * @return 0, -ENOMEM or -ENOSPC.
 */
typedef void (*crossvm_host_watch_fn)(void *context, uint32_t events);
int crossvm_host_watch(struct crossvm_host *host, int fd, uint32_t events,
		       crossvm_host_watch_fn function, void *context);
/* A descriptor that is not watched is fine. */
void crossvm_host_unwatch(struct crossvm_host *host, int fd);

/*
 * Memory in the arena: zeroed, aligned to 64 bytes, at the same address in every process cloned
 * from this one, given back with the host only. NULL when the arena is full.
 */
void *crossvm_host_allocate(struct crossvm_host *host, size_t bytes);

/*
 * Carry on after another process that dispatched this host has died at any instant. Call it once in
 * a process that was cloned, with CLONE_FILES and without CLONE_VM, from the one which initialised
 * the host, before its first dispatch. Applies what was received but not finished, sends what was
 * not yet sent, interrupts guests for which an interrupt may have been lost, adopts clients that were
 * accepted but not yet recorded, and closes descriptors that nobody knows.
 *
 * The caller first goes on with descriptors of its own that it received messages from: after this,
 * those that such a message brought are closed unless known.
 *
 * @known: called for each descriptor that the host itself does not know, from 3 on; returns whether
 *   the caller does (it may have adopted it just then). Descriptors known to nobody are closed.
 *   NULL: the caller knows all of them, nothing is closed.
 */
int crossvm_host_recover(struct crossvm_host *host, bool (*known)(void *context, int fd),
			 void *context);

/*
 * Call it before crossvm_host_recover() when the process before has crashed, and was not killed by
 * somebody's order: when three in a row have crashed at one message, its client is disconnected.
 */
void crossvm_host_blame(struct crossvm_host *host);

/*
 * The identity of the guest's message that is being applied, while a callback of
 * <cross_vm_connection.h> runs because of it; 0 otherwise. When a process died while applying it and
 * crossvm_host_recover() applies it again, its identity is the same; no other message to the same
 * function of the same connection ever has it. So what must not be done twice is done with a
 * journal in the arena:
 *
 *	if (journal->id != id) {
 *		journal->value = emitted + 1;
 *		atomic_signal_fence(memory_order_seq_cst);
 *		journal->id = id;
 *	}
 *	atomic_signal_fence(memory_order_seq_cst);
 *	emitted = journal->value;
 */
uint64_t crossvm_host_message_id(const struct crossvm_host *host);

/* A VM that QEMU attaches to. */

struct crossvm_vm_options {
	const char *name; /* 1 to CROSSVM_NAME_MAX bytes of [A-Za-z0-9_.-]; copied */
	/*
	 * Existing directory for the VM's listening sockets, one for each function of each
	 * connection: NAME.CONNECTION.events, NAME.CONNECTION.memory and, where it has one,
	 * NAME.CONNECTION.doorbell; copied. The paths must not be longer than a socket's can be, see
	 * crossvm_connection_socket_excess(). Stale sockets of processes that are gone are replaced,
	 * live ones are not (-EADDRINUSE).
	 */
	const char *socket_dir;
	/*
	 * Who may attach, besides root and the effective user of this process. -1: nobody. 0: nobody,
	 * too, so that a zeroed struct admits nobody; but if allow_group_0 is set, an allowed_group of 0
	 * means the group with that number, which is root's.
	 */
	uid_t allowed_user;
	gid_t allowed_group;
	mode_t socket_mode; /* of the sockets; 0: as narrow as who may attach allows */
	bool allow_group_0;
};

int crossvm_vm_create(struct crossvm_host *host, const struct crossvm_vm_options *options,
		      vm_t **vm);
/* Disconnects QEMU, removes the sockets. Its connections must have been destroyed. NULL is fine. */
void crossvm_vm_destroy(vm_t *vm);

/* The VM's PCI space, for cross_vm_connections_init_common(). */
vmm_pci_space_t *crossvm_vm_pci(vm_t *vm);

/*
 * An alloc_irq for cross_vm_connections_init_common(). QEMU's guests get their interrupt from the
 * guest's own PCI set-up, so the number says nothing: it is always the same.
 */
int crossvm_host_alloc_irq(void);

/*
 * QEMU options ("-device" or "-chardev", then its value, each string of its own) with which a QEMU
 * attaches to all connections that the VM has.
 *
 * @args: set to a NULL-terminated array; free it with one free().
 */
int crossvm_vm_qemu_args(const vm_t *vm, char ***args);

/* A connection as crossvm_qemu_args() must know it. */
struct crossvm_qemu_connection {
	const char *name;
	bool single_layout;
	bool doorbell;
};

/*
 * The same options for a VM that another process serves, or will serve: @socket_dir, @vm and the
 * connections, oldest first, are as that process gives them to crossvm_vm_create() and to its
 * connections. Devices have the ids crossvm.CONNECTION.events, .memory and .doorbell.
 *
 * @args: set to a NULL-terminated array; free it with one free().
 * @return 0, -ENOMEM, -ENAMETOOLONG (see crossvm_connection_socket_excess()), or -ENOSPC (see
 *   crossvm_qemu_place()).
 */
int crossvm_qemu_args(const char *socket_dir, const char *vm,
		      const struct crossvm_qemu_connection *connections, size_t num_connections,
		      char ***args);

/* How many PCI slots crossvm_qemu_args() uses at most, and how many functions a slot has. */
#define CROSSVM_QEMU_SLOTS          23u
#define CROSSVM_QEMU_SLOT_FUNCTIONS 8u

/*
 * Where the next connection of a VM goes. Call it for each of the VM's connections, oldest first: it
 * tells in advance whether QEMU has slots for all of them.
 *
 * A connection has two functions, one in the single layout, three if it has a doorbell, and they share
 * a slot. So a slot takes four connections, eight in the single layout, two if both have doorbells.
 *
 * @next: 0 before the first call; set to the place after this connection, and left as it is on failure.
 * @return the place of the connection's first function, which is its number among all functions of all
 *   slots, or -ENOSPC.
 */
int crossvm_qemu_place(const struct crossvm_qemu_connection *connection, unsigned int *next);

/* How long the path of a socket can be on Linux, with the NUL that ends it. */
#define CROSSVM_SOCKET_PATH_BYTES 108

/*
 * The path of the socket at which QEMU attaches to one function of a VM's connection:
 * DIR/VM.CONNECTION.PART.
 *
 * @part: "events", "memory" or "doorbell".
 * @path: has room for CROSSVM_SOCKET_PATH_BYTES; set to as much of the path as fits.
 * @return 0, or how many characters of the path are too many.
 */
size_t crossvm_socket_path(const char *socket_dir, const char *vm, const char *connection,
			   const char *part, char *path);
/* 0, or how many characters are too many in the longest path of all sockets of a VM's connection. */
size_t crossvm_connection_socket_excess(const char *socket_dir, const char *vm,
					const struct crossvm_qemu_connection *connection);
/* 0, or how many characters are too many in a socket's path of that length, whatever the socket. */
size_t crossvm_socket_path_excess(size_t length);

/*
 * Doorbells.
 *
 * A doorbell takes the events of two VMs straight from one to the other, by QEMU's ivshmem-doorbell
 * and without this process: as fast as QEMU can, and callbacks hear of none of them. To a guest in which
 * no process counts them (by our uio_crossvm and libcrossvm), events go through this process as ever.
 *
 * Make one for each connection, give it to both of its members as options.doorbell, with member ids 0
 * and 1, in the usual layout. The two may write two pages of memory in common, whatever their access to
 * the dataport; and each QEMU gets the other's eventfd, so that a QEMU which has been taken over, not a
 * guest, could hold up the other one.
 *
 * @return 0, or -ENOMEM, -EMFILE and the like, with a message.
 */
struct crossvm_doorbell;
int crossvm_doorbell_create(struct crossvm_host *host, struct crossvm_doorbell **doorbell);
/* Its connections must have been destroyed. NULL is accepted. */
void crossvm_doorbell_destroy(struct crossvm_doorbell *doorbell);

/* Dataports. */

/*
 * A dataport's memory: a memory fd of exactly bytes (whole pages), all of it allocated now, sealed
 * so that nobody can change its size, and of mode 0600 so that nobody else's read-only descriptor
 * can be opened again for writing. Whoever has it for writing can still free its pages: they are
 * allocated again, zeroed, when somebody touches them, and if there is no memory left then, that is a
 * SIGBUS.
 */
int crossvm_dataport_create(const char *name, size_t bytes, int *fd);

/*
 * Frame handles for a part of a memory fd, for crossvm_dataport_handle.frames. The fd must stay
 * open until the connection is destroyed, and stays the caller's. It must be sealed against
 * shrinking (-EPERM if not).
 *
 * @offset, @frame_bytes: whole pages.
 * @frames: room for num_frames handles.
 */
int crossvm_frames_from_memfd(int fd, size_t offset, size_t frame_bytes, int num_frames,
			      seL4_CPtr *frames);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
