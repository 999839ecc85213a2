/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Put a file into an image, and if it is a program, all libraries that it needs.
 */
#ifndef CROSSVM_LAB_PROGRAMS_H
#define CROSSVM_LAB_PROGRAMS_H

#include <stdint.h>
#include <sys/types.h>

#include "lab/cpio.h"
#include "systemfile/system.h"

/*
 * @destination: absolute path in the guest.
 * @mode: 0: that of source.
 * @source: a file, or a folder, which is added with all that is in it.
 * @return 0, or -errno after saying what failed.
 */
int lab_add_program(struct lab_cpio *cpio, enum crossvm_arch arch, const char *destination,
		    mode_t mode, const char *source);

#endif
