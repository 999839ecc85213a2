/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The initramfs of a guest: busybox, the agent, our module, library and command, and the files that
 * the system file adds, programs with the libraries they need.
 */
#ifndef CROSSVM_LAB_GUEST_IMAGE_H
#define CROSSVM_LAB_GUEST_IMAGE_H

#include "systemfile/system.h"

struct lab_guest_parts {
	const char *agent; /* paths on the host */
	const char *busybox;
	const char *kernel;  /* a folder as setup/vm/kernel prepares it */
	const char *module;  /* uio_crossvm.ko; NULL: none */
	const char *crossvm; /* the command for this architecture; NULL: none */
};

/*
 * Write the image for a VM.
 *
 * @return 0, or -errno after saying what failed and why. No file is left then.
 */
int lab_guest_image(const char *path, const struct crossvm_system_vm *vm,
		    const struct lab_guest_parts *parts);

#endif
