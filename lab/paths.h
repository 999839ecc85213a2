/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the lab finds its parts: beside the running program in a build tree, else where they are
 * installed.
 */
#ifndef CROSSVM_LAB_PATHS_H
#define CROSSVM_LAB_PATHS_H

#include <limits.h>
#include <stddef.h>

#include "systemfile/system.h"

#define LAB_ARCHES 2 /* of enum crossvm_arch */

struct lab_paths {
	char crossvmd[PATH_MAX];
	/* By architecture of the guest: process 1, and the command, both static programs. */
	char agent[LAB_ARCHES][PATH_MAX];
	char guest_crossvm[LAB_ARCHES][PATH_MAX];
	char setup[PATH_MAX];  /* the folder of the set-up scripts */
	char module[PATH_MAX]; /* the folder of the guest module's sources */
	char data[PATH_MAX];   /* what they unpack and build */
};

/* "x86_64" or "aarch64". */
const char *lab_arch_name(enum crossvm_arch arch);
enum crossvm_arch lab_native_arch(void);

/* @return 0, or -errno after saying what failed. */
int lab_find_paths(struct lab_paths *paths);

/* Are the programs for guests of that architecture there? @return 0, or -ENOENT after saying. */
int lab_check_guest_programs(const struct lab_paths *paths, enum crossvm_arch arch);

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
