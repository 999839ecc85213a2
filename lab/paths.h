/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the lab finds its parts: beside the running program in a build tree, else where they are
 * installed.
 */
#ifndef CROSSVM_LAB_PATHS_H
#define CROSSVM_LAB_PATHS_H

#include <limits.h>
#include <stddef.h>

struct lab_paths {
	char guest_crossvm[PATH_MAX]; /* the command for guests, static */
	char crossvmd[PATH_MAX];      /* the daemon */
	char agent[PATH_MAX];         /* process 1 of a guest */
	char setup[PATH_MAX];         /* the folder of the set-up scripts */
	char data[PATH_MAX];          /* what they unpack and build */
};

/* @return 0, or -errno after saying what is missing. */
int lab_find_paths(struct lab_paths *paths);

/*
 * Run a set-up script and take the path that it prints. What it says on standard error goes to the
 * terminal.
 *
 * @arguments: ended by NULL.
 * @return 0, or -errno after saying what failed.
 */
int lab_run_setup(const struct lab_paths *paths, const char *script, const char *const *arguments,
		  char *result, size_t bytes);

#endif
