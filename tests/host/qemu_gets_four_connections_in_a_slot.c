/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/host/guest.h"

#define MAX_CONNECTIONS 92

/* The address that the n-th device is given. */
static void check_address(const char *text, const char *address, const char *path_end)
{
	json_t *device = json_loads(text, 0, NULL);
	const char *path =
		json_string_value(json_object_get(json_object_get(device, "socket"), "path"));

	assert_string_equal(json_string_value(json_object_get(device, "driver")), "vfio-user-pci");
	assert_string_equal(json_string_value(json_object_get(device, "addr")), address);
	assert_true(json_is_true(json_object_get(device, "multifunction")));
	assert_non_null(path);
	assert_string_equal(path + strlen(path) - strlen(path_end), path_end);
	json_decref(device);
}

static void a_vm_s_connections_in_their_order(void **state)
{
	static const char *const expected[][2] = {
		{"10.0", "vm.writer.events"}, {"10.1", "vm.writer.memory"},
		{"10.2", "vm.reader.events"}, {"10.3", "vm.reader.memory"},
		{"10.4", "vm.events.events"}, {"10.5", "vm.events.memory"},
		{"10.6", "vm.single.events"}};
	struct guest *guest = guest_start();
	char **args;

	(void)state;
	assert_int_equal(crossvm_vm_qemu_args(guest->vm, &args), 0);
	for (size_t i = 0; i < 7; i++) {
		assert_string_equal(args[2 * i], "-device");
		check_address(args[2 * i + 1], expected[i][0], expected[i][1]);
	}
	assert_null(args[14]);
	free(args);
	guest_end(guest);
}

static void functions_of_one_connection_share_a_slot(void **state)
{
	struct crossvm_qemu_connection connections[MAX_CONNECTIONS] = {0};
	char names[MAX_CONNECTIONS][16];
	char **args;
	size_t i;

	(void)state;
	for (i = 0; i < MAX_CONNECTIONS; i++) {
		snprintf(names[i], sizeof(names[i]), "c%zu", i);
		connections[i].name = names[i];
	}
	connections[0].single_layout = true; /* so that the next would be split over two slots */
	assert_int_equal(crossvm_qemu_args("/tmp", "vm", connections, 5, &args), 0);
	check_address(args[2 * 6 + 1], "10.6", "vm.c3.memory");
	check_address(args[2 * 7 + 1], "11.0", "vm.c4.events");
	free(args);

	/* Slots that a chipset has of its own are left alone, and no address comes twice. */
	connections[0].single_layout = false;
	assert_int_equal(crossvm_qemu_args("/tmp", "vm", connections, MAX_CONNECTIONS, &args), 0);
	check_address(args[2 * 119 + 1], "1e.7", "vm.c59.memory");
	check_address(args[2 * 120 + 1], "f.0", "vm.c60.events");
	check_address(args[2 * 183 + 1], "8.7", "vm.c91.memory");
	free(args);
}

/* A third function beside the two, for a device of another kind. */
static void a_doorbell_takes_a_function_more(void **state)
{
	static const char *const sockets[] = {"vm.c0.events", "vm.c0.memory", NULL,
					      "vm.c1.events", "vm.c1.memory", NULL,
					      "vm.c2.events", "vm.c2.memory", NULL};
	static const char *const addresses[] = {"10.0", "10.1", "10.2", "10.3", "10.4",
						"10.5", "11.0", "11.1", "11.2"};
	const struct crossvm_qemu_connection connections[] = {
		{.name = "c0", .doorbell = true},
		{.name = "c1", .doorbell = true},
		{.name = "c2", .doorbell = true},
	};
	char **args, **arg;

	(void)state;
	assert_int_equal(crossvm_qemu_args("/tmp/a,b", "vm", connections, 3, &args), 0);
	arg = args;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		char chardev[96], id[32];
		json_t *device;

		if (sockets[i]) {
			assert_string_equal(arg[0], "-device");
			check_address(arg[1], addresses[i], sockets[i]);
			arg += 2;
			continue;
		}
		snprintf(id, sizeof(id), "crossvm.c%zu.socket", i / 3);
		snprintf(chardev, sizeof(chardev), "socket,id=%s,path=/tmp/a,,b/vm.c%zu.doorbell",
			 id, i / 3);
		assert_string_equal(arg[0], "-chardev");
		assert_string_equal(arg[1], chardev);
		assert_string_equal(arg[2], "-device");
		device = json_loads(arg[3], 0, NULL);
		assert_string_equal(json_string_value(json_object_get(device, "driver")),
				    "ivshmem-doorbell");
		assert_string_equal(json_string_value(json_object_get(device, "chardev")), id);
		assert_string_equal(json_string_value(json_object_get(device, "addr")),
				    addresses[i]);
		assert_true(json_is_true(json_object_get(device, "multifunction")));
		json_decref(device);
		arg += 4;
	}
	assert_null(*arg);
	free(args);
}

static void more_than_there_are_slots_for_is_refused(void **state)
{
	struct crossvm_qemu_connection connections[MAX_CONNECTIONS + 1];
	char **args;

	(void)state;
	for (size_t i = 0; i < MAX_CONNECTIONS + 1; i++)
		connections[i] = (struct crossvm_qemu_connection){.name = "c"};
	assert_int_equal(crossvm_qemu_args("/tmp", "vm", connections, MAX_CONNECTIONS + 1, &args),
			 -ENOSPC);
	assert_null(args);
}

/* The path of the third socket is too long by one character. */
static void a_path_that_does_not_fit_is_refused(void **state)
{
	struct crossvm_qemu_connection connection = {
		.name = "a2345678901234567890123456789012345678901234567"};
	static const char vm[] = "b2345678901234567890123456789012345678901234567";
	char path[CROSSVM_SOCKET_PATH_BYTES];
	char **args;

	(void)state;
	assert_int_equal(crossvm_qemu_args("/d0", vm, &connection, 1, &args), 0);
	free(args);
	assert_int_equal(crossvm_connection_socket_excess("/d0", vm, &connection), 0);
	assert_int_equal(crossvm_socket_path("/d0", vm, connection.name, "memory", path), 0);
	assert_int_equal(strlen(path), CROSSVM_SOCKET_PATH_BYTES - 2);
	connection.doorbell = true;
	assert_int_equal(crossvm_qemu_args("/d0", vm, &connection, 1, &args), -ENAMETOOLONG);
	assert_int_equal(crossvm_connection_socket_excess("/d0", vm, &connection), 1);
	assert_int_equal(crossvm_socket_path("/d0", vm, connection.name, "doorbell", path), 1);
	assert_int_equal(strlen(path), CROSSVM_SOCKET_PATH_BYTES - 1);
	assert_int_equal(crossvm_socket_path_excess(CROSSVM_SOCKET_PATH_BYTES), 1);
}

/* Whatever is in a directory's name, QEMU must read it as it is. */
static void a_directory_may_have_any_name(void **state)
{
	const struct crossvm_qemu_connection connection = {.name = "c"};
	char **args;
	json_t *device;

	(void)state;
	assert_int_equal(crossvm_qemu_args("/tmp/a \"b\",c\\", "vm", &connection, 1, &args), 0);
	device = json_loads(args[1], 0, NULL);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(device, "socket"), "path")),
		"/tmp/a \"b\",c\\/vm.c.events");
	json_decref(device);
	free(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_s_connections_in_their_order),
		cmocka_unit_test(functions_of_one_connection_share_a_slot),
		cmocka_unit_test(a_doorbell_takes_a_function_more),
		cmocka_unit_test(more_than_there_are_slots_for_is_refused),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused),
		cmocka_unit_test(a_directory_may_have_any_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
