/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to tell QEMU: a -device for each function. Four connections share a PCI slot, as its eight
 * functions, since slots are few; or two, if they have doorbells.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <jansson.h>

#include "vmm/linux/internal.h"

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

/* One function of a connection. */
struct function {
	const char *socket_dir;
	const char *vm;
	const char *connection;
	const char *part; /* events, memory or doorbell */
	bool doorbell;
	unsigned int position;
};

static int add_device(struct list *list, const struct function *function, json_t *device)
{
	char address[8], id[96];
	char *text = NULL;

	snprintf(id, sizeof(id), "crossvm.%s.%s", function->connection, function->part);
	snprintf(address, sizeof(address), "%x.%x",
		 slot_number(function->position / FUNCTIONS_PER_SLOT),
		 function->position % FUNCTIONS_PER_SLOT);
	if (device && !json_object_set_new(device, "id", json_string(id)) &&
	    !json_object_set_new(device, "addr", json_string(address)) &&
	    !json_object_set_new(device, "multifunction", json_true()))
		text = json_dumps(device, JSON_COMPACT);
	json_decref(device);
	if (!text)
		return -ENOMEM;
	add(list, "-device");
	add(list, text);
	free(text);
	return 0;
}

/* QEMU takes a comma for the end of a value, unless there are two. */
static void double_commas(const char *from, char *to)
{
	for (; *from; from++) {
		*to++ = *from;
		if (*from == ',')
			*to++ = ',';
	}
	*to = '\0';
}

static int add_doorbell(struct list *list, const struct function *function, const char *path)
{
	char chardev[64 + CROSSVM_NAME_BYTES + 2 * sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char id[96], escaped[2 * sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	snprintf(id, sizeof(id), "crossvm.%s.socket", function->connection);
	double_commas(path, escaped);
	snprintf(chardev, sizeof(chardev), "socket,id=%s,path=%s", id, escaped);
	add(list, "-chardev");
	add(list, chardev);
	return add_device(list, function,
			  json_pack("{s:s, s:s, s:i}", "driver", "ivshmem-doorbell", "chardev", id,
				    "vectors", 1));
}

static int add_function(struct list *list, const struct function *function)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (snprintf(path, sizeof(path), "%s/%s.%s.%s", function->socket_dir, function->vm,
		     function->connection, function->part) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (function->doorbell)
		return add_doorbell(list, function, path);
	return add_device(list, function,
			  json_pack("{s:s, s:{s:s, s:s}}", "driver", "vfio-user-pci", "socket",
				    "type", "unix", "path", path));
}

/* Oldest connection first, so that more connections do not move those that were there. */
static int add_all(struct list *list, const char *socket_dir, const char *vm,
		   const struct crossvm_qemu_connection *connections, size_t num_connections)
{
	unsigned int position = 0;

	for (size_t c = 0; c < num_connections; c++) {
		const char *parts[] = {function_part_name(CROSSVM_FUNCTION_EVENTS),
				       function_part_name(CROSSVM_FUNCTION_MEMORY),
				       doorbell_part_name};
		const unsigned int count = connections[c].single_layout ? 1
					   : connections[c].doorbell    ? 3
									: 2;

		/* A connection's functions are found by their slot, so they must share it. */
		if (position % FUNCTIONS_PER_SLOT + count > FUNCTIONS_PER_SLOT)
			position += FUNCTIONS_PER_SLOT - position % FUNCTIONS_PER_SLOT;
		if (position / FUNCTIONS_PER_SLOT >= NUM_SLOTS)
			return -ENOSPC;
		for (unsigned int i = 0; i < count; i++, position++) {
			const int error = add_function(
				list, &(struct function){.socket_dir = socket_dir,
							 .vm = vm,
							 .connection = connections[c].name,
							 .part = parts[i],
							 .doorbell = i == CROSSVM_DOORBELL_FUNCTION,
							 .position = position});

			if (error)
				return error;
		}
	}
	return 0;
}

int crossvm_qemu_args(const char *socket_dir, const char *vm,
		      const struct crossvm_qemu_connection *connections, size_t num_connections,
		      char ***args)
{
	struct list list = {0};
	int error = add_all(&list, socket_dir, vm, connections, num_connections);

	*args = NULL;
	if (error)
		return error;
	list.strings = calloc(1, (list.count + 1) * sizeof(char *) + list.bytes);
	if (!list.strings)
		return -ENOMEM;
	list.next = (char *)(list.strings + list.count + 1);
	list.count = 0;
	error = add_all(&list, socket_dir, vm, connections, num_connections);
	if (error) {
		free(list.strings);
		return error;
	}
	*args = list.strings;
	return 0;
}

static size_t count_connections(const vm_t *vm)
{
	size_t count = 0;

	for (const struct host_connection *c = vm->connections; c; c = c->next)
		count++;
	return count;
}

int crossvm_vm_qemu_args(const vm_t *vm, char ***args)
{
	const size_t count = count_connections(vm);
	struct crossvm_qemu_connection *connections = calloc(count + 1, sizeof(*connections));
	size_t i = count;
	int error;

	*args = NULL;
	if (!connections)
		return -ENOMEM;
	for (const struct host_connection *c = vm->connections; c; c = c->next)
		connections[--i] = (struct crossvm_qemu_connection){
			.name = c->connection->options.name,
			.single_layout = c->num_functions == 1,
			.doorbell = c->connection->doorbell != NULL,
		};
	error = crossvm_qemu_args(vm->socket_dir, vm->name, connections, count, args);
	if (error == -ENOSPC)
		server_log(
			&vm->host->server->log, CROSSVM_LOG_ERROR,
			"VM \"%s\": QEMU has no slots for so many connections: at most %u in the "
			"usual layout, half as many with doorbells",
			vm->name, NUM_SLOTS * FUNCTIONS_PER_SLOT / CROSSVM_FUNCTION_COUNT);
	free(connections);
	return error;
}
