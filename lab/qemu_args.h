/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of a VM's QEMU.
 */
#ifndef CROSSVM_LAB_QEMU_ARGS_H
#define CROSSVM_LAB_QEMU_ARGS_H

#include <stdbool.h>

#include "lab/accel.h"
#include "systemfile/system.h"

struct lab_qemu {
	const char *program;
	const char *lab; /* its name, for ps */
	const struct crossvm_system *system;
	size_t vm;
	enum lab_accel accel;
	const char *kernel; /* the image to boot */
	const char *initramfs;
	const char *socket_dir; /* of crossvmd */
	int agent_fd;           /* connected sockets, passed on */
	int console_fd;
	int qmp_fd;
};

/*
 * @args: set to the arguments, ended by NULL, to be freed with lab_qemu_args_free().
 * @return 0, -ENOMEM, -ENAMETOOLONG (of a socket), -ENOSPC (QEMU has no room for so many devices).
 */
int lab_qemu_args(const struct lab_qemu *qemu, char ***args);
void lab_qemu_args_free(char **args);

#endif
