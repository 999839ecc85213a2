/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to tell QEMU: a -device for each function. Four connections share a PCI slot, as its eight
 * functions, since slots are few.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "vmm/host/internal.h"

#define FUNCTIONS_PER_SLOT 8u

/*
 * The slots of the root bus that machines (q35, pc, virt) and devices without an address of their
 * own leave free: those take the lowest, chipsets of q35 the highest.
 */
#define FIRST_SLOT 0x10u
#define LAST_SLOT  0x1eu /* then, for VMs with very many connections, down from FIRST_SLOT - 1 */
#define LOW_SLOT   0x08u
#define NUM_SLOTS  (LAST_SLOT - LOW_SLOT + 1u)

static unsigned int slot_number(unsigned int n)
{
	return FIRST_SLOT + n <= LAST_SLOT ? FIRST_SLOT + n
					   : FIRST_SLOT - 1 - (n - (LAST_SLOT - FIRST_SLOT + 1));
}

/* A list of strings that is written twice: first to count, then into memory of that size. */
struct list {
	size_t count;
	size_t bytes;
	char **strings; /* NULL while counting */
	char *next;
};

static void add(struct list *list, const char *string)
{
	const size_t bytes = strlen(string) + 1;

	if (list->strings) {
		list->strings[list->count] = memcpy(list->next, string, bytes);
		list->next += bytes;
	}
	list->count++;
	list->bytes += bytes;
}

static int add_function(struct list *list, const struct host_function *function, unsigned int slot,
			unsigned int number)
{
	char address[8];
	json_t *device;
	char *text;

	snprintf(address, sizeof(address), "%x.%x", slot, number);
	device = json_pack("{s:s, s:{s:s, s:s}, s:s, s:b}", "driver", "vfio-user-pci", "socket",
			   "type", "unix", "path", function->listener.address.sun_path, "addr",
			   address, "multifunction", 1);
	text = device ? json_dumps(device, JSON_COMPACT) : NULL;
	json_decref(device);
	if (!text)
		return -ENOMEM;
	add(list, "-device");
	add(list, text);
	free(text);
	return 0;
}

/* Oldest connection first, so that more connections do not move those that were there. */
static int add_connections(struct list *list, const struct host_connection *connection,
			   unsigned int *position)
{
	int error = 0;

	if (!connection)
		return 0;
	error = add_connections(list, connection->next, position);
	for (unsigned int i = 0; !error && i < connection->num_functions; i++) {
		/* A connection's functions are found by their slot, so they must share it. */
		if (i == 0 &&
		    *position % FUNCTIONS_PER_SLOT + connection->num_functions > FUNCTIONS_PER_SLOT)
			*position += FUNCTIONS_PER_SLOT - *position % FUNCTIONS_PER_SLOT;
		if (*position / FUNCTIONS_PER_SLOT >= NUM_SLOTS)
			return -ENOSPC;
		error = add_function(list, &connection->functions[i],
				     slot_number(*position / FUNCTIONS_PER_SLOT),
				     *position % FUNCTIONS_PER_SLOT);
		++*position;
	}
	return error;
}

int crossvm_vm_qemu_args(const vm_t *vm, char ***args)
{
	struct list list = {0};
	unsigned int position = 0;
	int error = add_connections(&list, vm->connections, &position);

	*args = NULL;
	if (error == -ENOSPC)
		host_log(vm->host, CROSSVM_LOG_ERROR,
			 "VM \"%s\": QEMU has no slots for so many connections: at most %u in the "
			 "usual layout",
			 vm->name, NUM_SLOTS * FUNCTIONS_PER_SLOT / CROSSVM_FUNCTION_COUNT);
	if (error)
		return error;
	list.strings = calloc(1, (list.count + 1) * sizeof(char *) + list.bytes);
	if (!list.strings)
		return -ENOMEM;
	list.next = (char *)(list.strings + list.count + 1);
	list.count = 0;
	position = 0;
	error = add_connections(&list, vm->connections, &position);
	if (error) {
		free(list.strings);
		return error;
	}
	*args = list.strings;
	return 0;
}
