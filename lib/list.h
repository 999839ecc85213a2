/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing list of connections that can be opened here.
 */
#ifndef CROSSVM_LIB_LIST_H
#define CROSSVM_LIB_LIST_H

#include <stddef.h>

#include <crossvm/connection.h>

struct crossvm_list {
	struct crossvm_list_entry *entries;
	size_t count;
};

/* @return 0 or -ENOMEM. */
int crossvm_list_add(struct crossvm_list *list, const struct crossvm_list_entry *entry);

#endif
