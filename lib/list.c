/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/list.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/backend.h"
#include "lib/error.h"

int crossvm_list_add(struct crossvm_list *list, const struct crossvm_list_entry *entry)
{
	/* Room doubles whenever it is used up, which is when the count is a power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count ? list->count * 2 : 1;
		struct crossvm_list_entry *entries =
			reallocarray(list->entries, room, sizeof(*entries));

		if (!entries)
			return crossvm_fail(-ENOMEM, "out of memory");
		list->entries = entries;
	}
	list->entries[list->count++] = *entry;
	return 0;
}

static int collect(const char *root, const struct crossvm_open_options *options,
		   struct crossvm_list *list)
{
	int component = crossvm_component_list(root, options, list);
	int uio = component < 0 ? component : crossvm_uio_list(root, list);
	int vfio = uio < 0 ? uio : crossvm_vfio_connection_list(root, list);
	int pci = vfio < 0 ? vfio : crossvm_pci_list(root, list);

	if (pci < 0)
		return pci;
	if (component && uio && vfio && pci)
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
