/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of vmm/linux share. Structs that say so stand in the arena; the others are private
 * memory and constant once initialised.
 */
#ifndef CROSSVM_VMM_LINUX_INTERNAL_H
#define CROSSVM_VMM_LINUX_INTERNAL_H

#include <dirent.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include <crossvm/host.h>

#include "vfio_user/session.h"
#include "vmm/linux/qemu_functions.h"
#include "vmm/platform.h"
#include "wire/listener.h"
#include "wire/wire.h"

/* arena.c */

/* Given back, to be used for the same size again. Only while initialising. */
struct arena_spare {
	struct arena_spare *next;
	size_t bytes;
};

/* At the beginning of the arena. */
struct arena {
	size_t bytes;
	_Atomic size_t used;
	struct watch *_Atomic watches;
	struct arena_spare *spares;
	_Atomic bool accept_paused; /* for want of descriptors */
	/* Whose message is being applied, or was when a process died; NULL: none. */
	struct vfio_user_session *_Atomic serving;
	/* The message at which processes crashed, and how many did in a row. */
	struct vfio_user_session *crash_session;
	uint64_t crash_message;
	uint32_t crashes;
};

struct arena *arena_create(size_t bytes); /* NULL with errno */
void arena_destroy(struct arena *arena);
/* Zeroed, aligned to 64 bytes, and present in memory; NULL when the arena is full. */
void *arena_allocate(struct arena *arena, size_t bytes);
void arena_release(struct arena *arena, void *memory, size_t bytes); /* accepts NULL */
/* Map what is used into this process now, so that no later access can fail. */
void arena_populate(struct arena *arena);

/* loop.c */

/* A watched descriptor. In the arena. */
struct watch {
	struct watch *_Atomic next;
	int fd; /* -1: not watched */
	uint32_t events;
	crossvm_host_watch_fn function;
	void *context;
};

static_assert(sizeof(struct watch) <= CROSSVM_HOST_WATCH_BYTES, "callers bring this many bytes");

int watch_add(struct crossvm_host *host, struct watch *watch, int fd, uint32_t events,
	      crossvm_host_watch_fn function, void *context);
void watch_change(struct crossvm_host *host, struct watch *watch, uint32_t events);
void watch_remove(struct crossvm_host *host, struct watch *watch);
bool watch_knows(const struct crossvm_host *host, int fd);
/* Register everything with epoll again; what is registered already stays. */
void watch_resume(struct crossvm_host *host);

/* host.c */

struct crossvm_host {
	struct arena *arena;
	int epoll;
	DIR *descriptors; /* /proc/self/fd, for processes that may not open it any more */
	crossvm_log_fn log;
	void *log_context;
	struct crossvm_vm *vms;
	struct crossvm_doorbell *doorbells;
};

__attribute__((format(printf, 3, 4))) void
host_log(const struct crossvm_host *host, enum crossvm_log_level level, const char *format, ...);

/* How often something that a client can provoke has been logged. In the arena. */
struct log_limit {
	int64_t window; /* when the current one began, seconds */
	uint32_t logged;
	uint32_t suppressed;
};

/* Whether it may be logged now; tells how many were not, if any, in a message of its own. */
bool host_may_log(const struct crossvm_host *host, struct log_limit *limit);

/* vm.c */

struct crossvm_pci_space {
	struct crossvm_vm *vm;
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
	struct log_limit *log_limit;         /* in the arena */
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
	struct wire_listener listener;
	struct function_state *state;
};

/* Fill in device.regions and regions. */
void regions_fill(struct host_function *function);
/* The ops of struct vfio_user_device; context is the struct host_function. */
void regions_read(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes);
void regions_write(void *context, uint32_t region, uint64_t offset, const void *data, size_t bytes);

/* function.c */

/* What changes of a function. In the arena. */
struct function_state {
	struct vfio_user_session session;
	struct watch listener;
	struct watch client;
	struct watch unmask;
};

int function_open(struct host_function *function);
void function_close(struct host_function *function);
/* Go on after another process. */
void function_resume(struct host_function *function);
/* Part from the client, at whose message processes crash. */
void function_give_up(struct host_function *function);
/* Take over a socket that was accepted from the function's listener; or close it. */
void function_adopt(struct host_function *function, int fd);
bool function_knows(const struct host_function *function, int fd);

/* socket.c; part is the function, as in its socket's name */

/* Listen at VM.CONNECTION.PART. @return 0, or -errno after a message. */
int socket_listen(const struct host_connection *connection, const char *part,
		  struct wire_listener *listener);
/* @return the socket of somebody who has connected, not yet checked, or -errno. */
int socket_accept(const struct host_connection *connection, const char *part,
		  const struct wire_listener *listener);
/* Whether the process at the other end may attach to the VM's functions. */
bool socket_admits(const struct host_connection *connection, const char *part, int fd);
/* Log what a client provoked, so not more often than the limit allows. */
__attribute__((format(printf, 3, 4))) void socket_warn(const struct host_connection *connection,
						       const char *part, const char *format, ...);
/*
 * Listeners pause while there is no descriptor left for a client, and go on when anything else has
 * happened: so a client that waits does not keep the process busy.
 */
void socket_pause_accepting(struct crossvm_host *host, bool paused);

/* doorbell.c */

/* All but the first accept a connection without a doorbell. */
void doorbell_control_changed(const struct host_connection *connection, uint32_t control);
int doorbell_install(struct host_connection *connection); /* -errno after a message */
void doorbell_remove(struct host_connection *connection);
/* Of all doorbells: as function_adopt(), if it is theirs; go on after another process. */
bool doorbells_adopt(struct crossvm_host *host, int fd);
void doorbells_resume(struct crossvm_host *host);
void doorbells_watch_listeners(struct crossvm_host *host, uint32_t events);
bool doorbells_know(const struct crossvm_host *host, int fd);

/* platform.c */

/* What changes of a connection. In the arena. */
struct connection_state {
	struct crossvm_device_state device;
	struct function_state functions[CROSSVM_FUNCTION_COUNT];
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

bool connection_knows(const struct host_connection *connection, int fd);

/* memory.c */

/* A sealed memory fd of whole pages, all allocated; -errno. */
int memory_create(const char *name, size_t bytes);
/* The file and offset of frames that follow each other; -EINVAL if they do not. */
int memory_of_frames(const seL4_CPtr *frames, size_t num_frames, size_t frame_bytes, int *fd,
		     uint64_t *offset);

#endif
