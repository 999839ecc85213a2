/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of vmm/linux share. Structs that say so stand in the arena; the others are private
 * memory and constant once initialised.
 */
#ifndef CROSSVM_VMM_LINUX_INTERNAL_H
#define CROSSVM_VMM_LINUX_INTERNAL_H

#include <stdatomic.h>
#include <sys/epoll.h>

#include <crossvm/host.h>

#include "server/server.h"
#include "server/strikes.h"
#include "vfio_user/session.h"
#include "vmm/linux/linux.h"
#include "vmm/linux/qemu_functions.h"
#include "vmm/platform.h"

/* host.c */

struct crossvm_host {
	struct server *server;
	struct server *own_server; /* NULL: the caller's */
	bool blames;               /* the process before has crashed */
	unsigned int num_vms;      /* ever */
	struct watch_slot *slots;
	struct crossvm_vm *vms;
	struct crossvm_doorbell *doorbells;
};

/* vm.c */

struct crossvm_pci_space {
	struct crossvm_vm *vm;
};

/* In the arena. */
struct vm_state {
	struct log_limit log_limit;
	struct strikes strikes;
};

struct crossvm_vm {
	struct crossvm_host *host;
	struct crossvm_vm *next;
	char name[CROSSVM_NAME_BYTES];
	char *socket_dir;
	uid_t allowed_user;
	gid_t allowed_group;
	mode_t socket_mode;
	struct crossvm_pci_space pci;
	struct crossvm_vmm *vmm;             /* the core's */
	struct host_connection *connections; /* newest first */
	unsigned int number;                 /* from 0, in its host */
	struct watch_owner owner;            /* of all that its clients send */
	struct vm_state *state;
};

/* regions.c */

/* What is behind a region, for accesses that come as messages. */
struct host_region {
	bool registers;         /* its first page is the register page */
	unsigned char *memory;  /* NULL: none */
	uint64_t memory_offset; /* in the region */
	uint64_t memory_bytes;
};

struct host_function {
	struct host_connection *connection;
	enum crossvm_function number;
	struct vfio_user_device device;
	struct host_region regions[VFIO_PCI_NUM_REGIONS];
	struct acceptor acceptor;
	struct vfio_user_session *session;
};

/* Fill in device.regions and regions. */
void regions_fill(struct host_function *function);
/* The ops of struct vfio_user_device; context is the struct host_function. */
void regions_read(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes);
void regions_write(void *context, uint32_t region, uint64_t offset, const void *data, size_t bytes);

/* function.c */

int function_open(struct host_function *function);
void function_close(struct host_function *function);
/* Part from the client, if there is one, after what it has sent is answered. */
void function_take_leave(struct host_function *function);
/* Go on after another process. */
void function_resume(struct host_function *function);

/* socket.c; part is the function, as in its socket's name */

/* Listen at VM.CONNECTION.PART. @return 0, or -errno after a message. */
int socket_open(const struct host_connection *connection, const char *part, bool takes_descriptors,
		struct acceptor *acceptor);
/* Say that nobody can be accepted now. */
void socket_failed(const struct host_connection *connection, const char *part, int error);
/*
 * Whether the process at the other end may attach to the VM's functions; if not, that is said, and the
 * socket closed.
 */
bool socket_admits(const struct host_connection *connection, const char *part, int fd);
/* Say that a client was refused, why, and who it was; and have its socket closed. */
void socket_refuse(const struct host_connection *connection, const char *part, int fd,
		   const char *why);
/* Log what a client provoked, so not more often than the limit allows. */
__attribute__((format(printf, 3, 4))) void socket_warn(const struct host_connection *connection,
						       const char *part, const char *format, ...);

/* doorbell.c */

/* All but the first accept a connection without a doorbell. */
void doorbell_control_changed(const struct host_connection *connection, uint32_t control);
int doorbell_install(struct host_connection *connection); /* -errno after a message */
void doorbell_remove(struct host_connection *connection);
void doorbell_take_leave(struct host_connection *connection);
/* Of all doorbells: go on after another process; remove the socket files. */
void doorbells_resume(struct crossvm_host *host);
void doorbells_unlink(const struct crossvm_host *host);

/* platform.c */

/* What changes of a connection. In the arena. */
struct connection_state {
	struct crossvm_device_state device;
	/* What the guest was last interrupted for: less than there is if a process died meanwhile. */
	_Atomic uint64_t told_total;
	_Atomic uint32_t told_generation;
	struct vfio_user_session sessions[CROSSVM_FUNCTION_COUNT];
};

struct host_connection {
	struct host_connection *next;
	struct crossvm_vm *vm;
	struct crossvm_vmm_connection *connection; /* the core's */
	struct connection_state *state;

	int status_fd;
	size_t status_file_bytes; /* with what stands before the page in its BAR */
	unsigned char *status_file;
	int dataport_fd; /* as the guest may use it; -1: none */
	bool own_dataport_fd;
	uint64_t dataport_offset; /* in it */
	unsigned char *dataport;

	unsigned int num_functions; /* that are open */
	struct host_function functions[CROSSVM_FUNCTION_COUNT];
};

/* Go on after another process: what it may not have told the guest is told. */
void connection_resume(struct host_connection *h);

/* frames.c */

/* The file and offset of frames that follow each other; -EINVAL if they do not. */
int memory_of_frames(const seL4_CPtr *frames, size_t num_frames, size_t frame_bytes, int *fd,
		     uint64_t *offset);

#endif
