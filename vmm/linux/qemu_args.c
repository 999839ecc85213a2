/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to tell QEMU: a -device for each function. Four connections share a PCI slot, as its eight
 * functions, since slots are few; or two, if they have doorbells.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "vmm/linux/internal.h"

/*
 * The slots of the root bus that machines (q35, pc, virt) and devices without an address of their
 * own leave free: those take the lowest, chipsets of q35 the highest.
 */
#define FIRST_SLOT 0x10u
#define LAST_SLOT  0x1eu /* then, for VMs with very many connections, down from FIRST_SLOT - 1 */
#define LOW_SLOT   0x08u

static_assert(CROSSVM_QEMU_SLOTS == LAST_SLOT - LOW_SLOT + 1, "each slot once");

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
		 slot_number(function->position / CROSSVM_QEMU_SLOT_FUNCTIONS),
		 function->position % CROSSVM_QEMU_SLOT_FUNCTIONS);
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
	char chardev[64 + CROSSVM_NAME_BYTES + 2 * CROSSVM_SOCKET_PATH_BYTES];
	char id[96], escaped[2 * CROSSVM_SOCKET_PATH_BYTES];

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
	char path[CROSSVM_SOCKET_PATH_BYTES];

	if (crossvm_socket_path(function->socket_dir, function->vm, function->connection,
				function->part, path) > 0)
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
	unsigned int next = 0;

	for (size_t c = 0; c < num_connections; c++) {
		const int place = crossvm_qemu_place(&connections[c], &next);

		if (place < 0)
			return place;
		for (unsigned int i = 0; i < qemu_function_count(&connections[c]); i++) {
			const int error = add_function(
				list, &(struct function){.socket_dir = socket_dir,
							 .vm = vm,
							 .connection = connections[c].name,
							 .part = function_part_name(i),
							 .doorbell = i == CROSSVM_DOORBELL_FUNCTION,
							 .position = (unsigned int)place + i});

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
			"VM \"%s\": its %zu connections do not fit into the %u PCI slots that QEMU "
			"has for them; a slot takes four connections, or two with doorbells",
			vm->name, count, CROSSVM_QEMU_SLOTS);
	free(connections);
	return error;
}
