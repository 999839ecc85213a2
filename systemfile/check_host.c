/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host has room for: names of devices, paths of sockets, places in QEMU. */
#include "systemfile/check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/abi_component.h>
#include <crossvm/host.h>

struct device_name {
	char text[2 * CROSSVM_NAME_BYTES];
	size_t connection;
	size_t member;
};

static int compare_device_names(const void *a, const void *b)
{
	return strcmp(((const struct device_name *)a)->text, ((const struct device_name *)b)->text);
}

/*
 * A VM's devices are known on the host as VM.CONNECTION. With dots in names, "a" and "b.c" make the
 * same of it as "a.b" and "c".
 */
static int check_device_names(struct crossvm_check *check)
{
	const struct crossvm_system *system = check->system;
	struct device_name *names;
	size_t count = 0;

	for (size_t i = 0; i < system->num_connections; i++)
		count += system->connections[i].num_members;
	names = calloc(count + 1, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < system->num_connections; i++) {
		for (size_t j = 0; j < system->connections[i].num_members; j++) {
			const struct crossvm_system_member *member =
				&system->connections[i].members[j];

			if (!member->is_vm)
				continue;
			names[count].connection = i;
			names[count].member = j;
			snprintf(names[count++].text, sizeof(names->text), "%s.%s",
				 system->vms[member->index].name, system->connections[i].name);
		}
	}
	qsort(names, count, sizeof(*names), compare_device_names);
	for (size_t i = 1; i < count; i++)
		if (strcmp(names[i - 1].text, names[i].text) == 0)
			crossvm_report_add(
				check->report,
				crossvm_check_member_line(check, names[i].connection,
							  names[i].member, "vm"),
				"VM and connection together are '%s', as in line %zu; rename one, "
				"without a dot",
				names[i].text,
				crossvm_check_member_line(check, names[i - 1].connection,
							  names[i - 1].member, "vm"));
	free(names);
	return 0;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* The socket of components is there also if the system has none. */
static void check_component_socket(struct crossvm_check *check)
{
	size_t length = strlen(check->socket_dir) + strlen("/" CROSSVM_COMPONENT_SOCKET_NAME);
	size_t excess = crossvm_socket_path_excess(length);

	if (excess > 0)
		crossvm_report_add(check->report, 0,
				   "the path of the socket " CROSSVM_COMPONENT_SOCKET_NAME
				   " in the folder %s is %zu character%s too long; choose a folder "
				   "with a shorter path (--socket-dir)",
				   crossvm_report_quote(check->socket_dir).text, excess,
				   plural(excess));
}

/* Where the places of a VM's connections end in QEMU, as far as the check has come. */
struct vm_places {
	unsigned int next;
	size_t count;  /* connections of the VM */
	size_t placed; /* of them before the first that has no place */
};

static void place(struct vm_places *vm, const struct crossvm_qemu_connection *connection)
{
	if (vm->placed == vm->count && crossvm_qemu_place(connection, &vm->next) >= 0)
		vm->placed++;
	vm->count++;
}

static void report_places(struct crossvm_check *check, size_t index, const struct vm_places *vm)
{
	const char *name = check->system->vms[index].name;
	size_t line = crossvm_outline_line(check->outline, "vms/%zu", index);

	if (vm->placed < vm->count)
		crossvm_report_add(
			check->report, line,
			"VM '%s' is a member of %zu connections, and QEMU has places for "
			"the first %zu of them only, in %u PCI slots; a slot takes 4 "
			"connections, 2 with doorbells, or 8 in the single layout: leave "
			"out connections or doorbells",
			name, vm->count, vm->placed, CROSSVM_QEMU_SLOTS);
	else if (vm->count > CROSSVM_MAX_CONNECTIONS)
		crossvm_report_add(
			check->report, line,
			"VM '%s' is a member of %zu connections; at most %u are possible", name,
			vm->count, CROSSVM_MAX_CONNECTIONS);
}

/* One VM's device for a connection. */
static void check_device(struct crossvm_check *check, size_t index, size_t member,
			 struct vm_places *vms)
{
	size_t vm = check->system->connections[index].members[member].index;
	const char *name = check->system->vms[vm].name;
	struct crossvm_qemu_connection connection =
		crossvm_system_qemu_connection(check->system, vm, index);
	size_t excess = 0;

	place(&vms[vm], &connection);
	if (check->socket_dir != NULL)
		excess = crossvm_connection_socket_excess(check->socket_dir, name, &connection);
	if (excess > 0)
		crossvm_report_add(
			check->report, crossvm_check_member_line(check, index, member, "vm"),
			"the path of the socket for VM '%s' and connection '%s' in the "
			"folder %s is %zu character%s too long; shorten a name, or choose "
			"a folder with a shorter path (--socket-dir)",
			name, connection.name, crossvm_report_quote(check->socket_dir).text, excess,
			plural(excess));
}

static int check_devices(struct crossvm_check *check)
{
	const struct crossvm_system *system = check->system;
	struct vm_places *vms = calloc(system->num_vms + 1, sizeof(*vms));

	if (vms == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < system->num_connections; i++)
		for (size_t j = 0; j < system->connections[i].num_members; j++)
			if (system->connections[i].members[j].is_vm)
				check_device(check, i, j, vms);
	for (size_t i = 0; i < system->num_vms; i++)
		report_places(check, i, &vms[i]);
	free(vms);
	return 0;
}

int crossvm_check_host(struct crossvm_check *check)
{
	int error;

	if (check->socket_dir != NULL)
		check_component_socket(check);
	error = check_devices(check);
	return error ? error : check_device_names(check);
}
