/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard: a process beside the keeper that does nothing until the keeper ends, however it ends.
 * Then it ends what the keeper had started and removes the lab's folders.
 */
#ifndef CROSSVM_LAB_GUARD_H
#define CROSSVM_LAB_GUARD_H

#include "lab/rundir.h"
#include "lab/spawn.h"

struct lab_guard {
	struct lab_process process;
	int fd; /* closed when the keeper ends */
};

/*
 * Fork the guard. It holds the lab's lock until it is done.
 *
 * @images: the folder of the guests' images, removed as well.
 * @return 0 or -errno.
 */
int lab_guard_start(struct lab_guard *guard, struct lab_rundir *rundir, const char *images);

/* Entrust a process to the guard. @return 0 or -errno. */
int lab_guard_add(struct lab_guard *guard, const struct lab_process *process);

#endif
