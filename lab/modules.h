/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel modules in a guest's image: those loaded at boot, those there for modprobe.
 */
#ifndef CROSSVM_LAB_MODULES_H
#define CROSSVM_LAB_MODULES_H

#include "lab/cpio.h"

/*
 * Add the modules that a guest needs from a kernel's folder, and our own, with modules.dep and the
 * list of those to load.
 *
 * @kernel: a folder as setup/vm/kernel prepares it.
 * @ours: path of uio_crossvm.ko; NULL: none.
 * @return 0, or -errno after saying what failed.
 */
int lab_add_modules(struct lab_cpio *cpio, const char *kernel, const char *ours);

#endif
