/* SPDX-License-Identifier: BSD-2-Clause */
/* Folders of a test, which are gone when its program has ended, also where an assertion ended a test. */
#ifndef CROSSVM_TESTS_SCRATCH_H
#define CROSSVM_TESTS_SCRATCH_H

#include <stddef.h>

#define SCRATCH_BYTES 32 /* of a path */

/* Make one below /tmp. Ends the program where that fails. */
void scratch_make(char path[SCRATCH_BYTES]);
/* Remove it now, with what is in it. */
void scratch_remove(const char *path);

#endif
