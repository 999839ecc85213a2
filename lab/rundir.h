/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running lab's folder: $XDG_RUNTIME_DIR/crossvm-lab/NAME, or /tmp/crossvm-lab-UID/NAME, for its
 * owner alone. Its lock file is locked while the lab's processes live; a folder whose lock is free is
 * what a killed lab has left.
 */
#ifndef CROSSVM_LAB_RUNDIR_H
#define CROSSVM_LAB_RUNDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define LAB_NAME_BYTES   41  /* with the NUL */
#define LAB_RUNDIR_BYTES 100 /* leaves room for a socket's name in struct sockaddr_un */
#define LAB_CONTROL      "ctl"
#define LAB_SOCKETS      "s" /* folder of crossvmd's sockets */

struct lab_rundir {
	char name[LAB_NAME_BYTES];
	char path[LAB_RUNDIR_BYTES];
	int lock_fd;
};

/* May a lab be called so? Letters, digits, '.', '_' and '-', not beginning with '.'. */
bool lab_name_is_valid(const char *name);

/* The name of a lab that is not given one: that of its system file, told apart by its path. */
void lab_default_name(const char *system_path, char *name);

/*
 * Make and lock the folder of a new lab, and remove what killed labs have left.
 *
 * @return 0, or -errno after saying what failed: -EEXIST if a lab of that name runs.
 */
int lab_rundir_create(struct lab_rundir *rundir, const char *name);

/* Remove the folder and all that is in it; the lock is let go with it. */
void lab_rundir_remove(struct lab_rundir *rundir);

/*
 * Find the running lab of that name, or, with NULL, the only one.
 *
 * @return 0, or -errno after saying what failed.
 */
int lab_rundir_find(const char *name, struct lab_rundir *rundir);

/* Call back for each running lab, in the order of their names. @return how many, or -errno. */
int lab_rundir_each(void (*fn)(const struct lab_rundir *rundir, void *context), void *context);

/* Wait until nothing of the lab is left. @return 0 or -ETIMEDOUT. */
int lab_rundir_wait_gone(const struct lab_rundir *rundir, int timeout_ms);

/* Remove a folder with all that is in it, following no links. */
void lab_remove_tree(const char *path);

#endif
