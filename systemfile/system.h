/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * systemfile/: the system file, which says what VMs, components and connections there are. Read with
 * libcyaml, checked as a whole; every error names file, line and remedy. Used by the daemon, the
 * lab and the command; opens no socket and starts nothing.
 *
 *	vms:
 *	  - name: sensor                    # memory, arch, files, user, group, layout: optional
 *	    arch: x86_64                    # or aarch64
 *	    memory: 512 MiB                 # of the VM, in the lab
 *	    files: [{source: app, destination: /usr/bin/app, mode: 0755}]   # in the lab
 *	    kernel_args: [idle=poll]        # in the lab; qemu_args likewise
 *	    user: qemu                      # who may attach, by user or group
 *	components:
 *	  - name: logger
 *	    user: logger
 *	connections:
 *	  - name: telemetry
 *	    dataport: 1 MiB                 # left out: events only
 *	    kind: broadcast                 # optional: how many members write
 *	    members:
 *	      - {vm: sensor, access: read-write}
 *	      - {component: logger, access: read-only}
 *	  - name: alarm
 *	    doorbell: true                  # optional, for two VMs: they signal each other directly
 *	    members: [{vm: sensor}, {vm: pilot}]
 */
#ifndef CROSSVM_SYSTEMFILE_SYSTEM_H
#define CROSSVM_SYSTEMFILE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <crossvm/abi.h>
#include <crossvm/host.h>

enum crossvm_arch {
	CROSSVM_ARCH_X86_64,
	CROSSVM_ARCH_AARCH64,
};

struct crossvm_system_file {
	char *source;      /* absolute, or relative to the system file and made absolute */
	char *destination; /* absolute in the guest */
	mode_t mode;       /* 0: that of source */
};

struct crossvm_system_vm {
	char name[CROSSVM_NAME_BYTES];
	enum crossvm_arch arch;
	uint64_t memory_bytes; /* 0: not given */
	struct crossvm_system_file *files;
	size_t num_files;
	/* Further arguments in the lab, each list ended by NULL; NULL: none. */
	char **kernel_args;
	char **qemu_args;
	uid_t user;         /* (uid_t)-1: not given */
	gid_t group;        /* (gid_t)-1: not given */
	bool single_layout; /* layout: single */
};

struct crossvm_system_component {
	char name[CROSSVM_NAME_BYTES];
	uid_t user;
	gid_t group;
};

struct crossvm_system_member {
	bool is_vm;
	size_t index;    /* in vms or components */
	uint32_t access; /* CROSSVM_ACCESS_*; 0 where there is no dataport */
};

struct crossvm_system_connection {
	char name[CROSSVM_NAME_BYTES];
	uint64_t dataport_bytes;               /* whole pages; 0: events only */
	struct crossvm_system_member *members; /* their order gives the member ids */
	size_t num_members;
	bool doorbell; /* of two VMs, which signal each other directly */
};

struct crossvm_system {
	char *path;
	struct crossvm_system_vm *vms;
	size_t num_vms;
	struct crossvm_system_component *components;
	size_t num_components;
	struct crossvm_system_connection
		*connections; /* their order gives the connection ids, from 1 */
	size_t num_connections;
};

/*
 * Read and check a system file.
 *
 * @socket_dir: the folder in which crossvmd has its sockets, as it is told: the paths of the sockets must
 *   fit into their addresses. NULL: it is not known, and this is not checked.
 * @system: set to the system; free it with crossvm_system_free().
 * @message: on failure set to the messages, one a line, "FILE:LINE: what is wrong; what to do",
 *   to be freed with free().
 * @return 0, or -EINVAL (something is wrong in it), -ENOENT, -EACCES, -ENOMEM and the like.
 */
int crossvm_system_read(const char *path, const char *socket_dir, struct crossvm_system **system,
			char **message);
/* The same for a text; path appears in messages, and relative sources start in its directory. */
int crossvm_system_parse(const char *path, const char *socket_dir, const char *text, size_t bytes,
			 struct crossvm_system **system, char **message);
void crossvm_system_free(struct crossvm_system *system);

/* Index of the VM or component of that name, or -1. */
ssize_t crossvm_system_find_vm(const struct crossvm_system *system, const char *name);
ssize_t crossvm_system_find_component(const struct crossvm_system *system, const char *name);

/* A VM's connection as crossvm_qemu_place() takes it; its name stays the system's. */
struct crossvm_qemu_connection crossvm_system_qemu_connection(const struct crossvm_system *system,
							      size_t vm, size_t connection);

/*
 * A VM's connections as crossvm_qemu_args() takes them: in the order of the file, as crossvmd makes
 * them.
 *
 * @vm: index of the VM.
 * @count: set to how many there are.
 * @return them, to be freed with free(), names staying the system's; NULL: no memory.
 */
struct crossvm_qemu_connection *crossvm_system_qemu_connections(const struct crossvm_system *system,
								size_t vm, size_t *count);

#endif
