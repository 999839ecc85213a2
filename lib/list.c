/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/list.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/backend.h"
#include "lib/error.h"

int crossvm_list_add(struct crossvm_list *list, const struct crossvm_list_entry *entry)
{
	struct crossvm_list_entry *entries =
		reallocarray(list->entries, list->count + 1, sizeof(*entries));

	if (!entries)
		return crossvm_fail(-ENOMEM, "out of memory");
	entries[list->count++] = *entry;
	list->entries = entries;
	return 0;
}

static int collect(const char *root, const struct crossvm_open_options *options,
		   struct crossvm_list *list)
{
	int component = crossvm_component_list(root, options, list);
	int uio;
	int pci;

	if (component && component != -ENODEV)
		return component;
	uio = crossvm_uio_list(root, list);
	if (uio && uio != -ENODEV)
		return uio;
	pci = crossvm_pci_list(root, list);
	if (pci && pci != -ENODEV)
		return pci;
	if (component && uio && pci)
		return crossvm_fail(
			-ENODEV, "there is neither a component socket nor a crossvm device; on a "
				 "host start crossvmd, in a guest load the module uio_crossvm");
	return 0;
}

int crossvm_connection_list_below(const char *root, const struct crossvm_open_options *options,
				  struct crossvm_list_entry **entries)
{
	struct crossvm_list list = {0};
	int error = collect(root, options, &list);

	*entries = NULL;
	if (error) {
		free(list.entries);
		return error;
	}
	*entries = list.entries;
	return (int)list.count;
}

int crossvm_connection_list(const struct crossvm_open_options *options,
			    struct crossvm_list_entry **entries)
{
	const struct crossvm_open_options defaults = {0};

	return crossvm_connection_list_below("", options ? options : &defaults, entries);
}
