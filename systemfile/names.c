/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int crossvm_names_create(struct crossvm_names *names, size_t count)
{
	names->count = 0;
	names->entries = calloc(count + 1, sizeof(*names->entries));
	return names->entries == NULL ? -ENOMEM : 0;
}

void crossvm_names_add(struct crossvm_names *names, const char *name)
{
	names->entries[names->count] = (struct crossvm_named){.name = name, .place = names->count};
	names->count++;
}

static int compare(const void *a, const void *b)
{
	const struct crossvm_named *x = a;
	const struct crossvm_named *y = b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->place < y->place ? -1 : x->place > y->place;
}

void crossvm_names_sort(struct crossvm_names *names)
{
	qsort(names->entries, names->count, sizeof(*names->entries), compare);
}

ssize_t crossvm_names_find(const struct crossvm_names *names, const char *name)
{
	size_t low = 0;
	size_t high = names->count;

	/* The first entry that is not before the name. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(names->entries[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == names->count || strcmp(names->entries[low].name, name) != 0)
		return -1;
	return (ssize_t)names->entries[low].place;
}

void crossvm_names_destroy(struct crossvm_names *names)
{
	free(names->entries);
	*names = (struct crossvm_names){0};
}
