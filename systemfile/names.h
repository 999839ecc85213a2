/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An index of names: finds the first entry of a list that has a name without walking the list. A
 * system file can have thousands of names, and each is looked up more than once.
 */
#ifndef CROSSVM_SYSTEMFILE_NAMES_H
#define CROSSVM_SYSTEMFILE_NAMES_H

#include <stddef.h>
#include <sys/types.h>

struct crossvm_named {
	const char *name; /* belongs to who made the index */
	size_t place;     /* in the list */
};

struct crossvm_names {
	struct crossvm_named *entries; /* room for all of the list; sorted by name, then by place */
	size_t count;
};

/* Room for count names. @return 0 or -ENOMEM. */
int crossvm_names_create(struct crossvm_names *names, size_t count);
/* Add the name of the next entry of the list. The name must outlive the index. */
void crossvm_names_add(struct crossvm_names *names, const char *name);
/* Call it once, after the last name and before the first search. */
void crossvm_names_sort(struct crossvm_names *names);
/* @return the place of the first entry of that name, or -1. */
ssize_t crossvm_names_find(const struct crossvm_names *names, const char *name);
void crossvm_names_destroy(struct crossvm_names *names);

#endif
