/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "fake_daemon.h"
#include "fake_guest.h"
#include "fixture.h"

#define DRIVER "sys/bus/pci/devices/" FAKE_EVENTS "/driver"

static struct fake_guest guest;

static int start(void **state)
{
	(void)state;
	fake_guest_create(&guest);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_guest_destroy(&guest);
	return 0;
}

static void assert_backend(enum crossvm_backend backend)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);
	struct crossvm_connection_info info;

	crossvm_connection_info(conn, &info);
	assert_string_equal(crossvm_backend_name(info.backend), crossvm_backend_name(backend));
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 1);
	crossvm_connection_close(conn);
}

static uint32_t connection_id(const struct crossvm_connection *conn)
{
	struct crossvm_connection_info info;

	crossvm_connection_info(conn, &info);
	return info.connection_id;
}

static void without_any_device_there_is_none(void **state)
{
	const struct crossvm_open_options options = {0};
	struct crossvm_list_entry *entries;
	struct crossvm_connection *conn;

	(void)state;
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -ENODEV);
	assert_error_says("load the module uio_crossvm");
	assert_int_equal(crossvm_connection_list_below(guest.root, &options, &entries), -ENODEV);
	assert_error_says("start crossvmd");
}

static void our_driver_comes_first(void **state)
{
	(void)state;
	fake_guest_add_device(&guest, "uio_crossvm");
	fake_guest_add_uio_crossvm(&guest);
	assert_backend(CROSSVM_BACKEND_UIO_CROSSVM);
}

static void then_the_stock_driver(void **state)
{
	(void)state;
	fake_guest_add_device(&guest, "uio_pci_generic");
	fake_guest_add_uio_generic(&guest);
	assert_backend(CROSSVM_BACKEND_UIO_GENERIC);
}

static void without_interrupt_the_stock_driver_is_of_no_use(void **state)
{
	(void)state;
	fake_guest_add_device(&guest, "uio_pci_generic");
	fake_guest_add_uio_generic(&guest);
	fake_guest_file(&guest, "sys/bus/pci/devices/" FAKE_EVENTS "/irq", "0\n");
	assert_backend(CROSSVM_BACKEND_SYSFS);
}

static void no_driver_is_enough(void **state)
{
	(void)state;
	fake_guest_add_device(&guest, NULL);
	assert_backend(CROSSVM_BACKEND_SYSFS);
}

static void without_driver_waits_poll(void **state)
{
	struct crossvm_connection *conn;
	uint64_t count;

	(void)state;
	fake_guest_add_device(&guest, NULL);
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(crossvm_connection_fd(conn), -ENOTSUP);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	assert_int_equal(crossvm_connection_wait(conn, 5, NULL), -ETIMEDOUT);
	guest.status->total_events = 6;
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 6);
	crossvm_connection_close(conn);
}

static char enabled(const char *address)
{
	char text[8] = "";
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/enable", guest.root, address);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return text[0];
}

static void a_function_that_nobody_enabled_is_enabled(void **state)
{
	(void)state;
	fake_guest_add_device(&guest, NULL);
	assert_backend(CROSSVM_BACKEND_SYSFS);
	assert_int_equal(enabled(FAKE_EVENTS), '1');
	assert_int_equal(enabled(FAKE_MEMORY), '1');
}

static void an_interrupt_that_nobody_handles_is_masked(void **state)
{
	(void)state;
	fake_guest_add_device(&guest, NULL);
	fake_guest_set_command(&guest, 0x0003);
	assert_backend(CROSSVM_BACKEND_SYSFS);
	assert_int_equal(fake_guest_command(&guest), 0x0403);
}

static void devices_of_other_drivers_are_left_alone(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	fake_guest_add_device(&guest, "vfio-pci");
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -ENODEV);
	fake_guest_link(&guest, DRIVER,
			"../a-driver-whose-name-is-longer-than-any-that-this-library-knows");
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -ENODEV);
}

static void a_component_socket_comes_before_devices(void **state)
{
	struct crossvm_connection *conn;
	struct crossvm_connection_info info;
	struct crossvm_list_entry *entries;
	struct fake_daemon daemon;
	struct crossvm_open_request request = {.root = guest.root, .name = "telemetry"};

	(void)state;
	fake_guest_add_device(&guest, "uio_crossvm");
	fake_guest_add_uio_crossvm(&guest);
	fake_daemon_start(&daemon, fake_serve_well, NULL);
	request.options = &daemon.options;
	assert_int_equal(crossvm_connection_open_below(&request, &conn), 0);
	crossvm_connection_info(conn, &info);
	assert_int_equal(info.backend, CROSSVM_BACKEND_COMPONENT);
	crossvm_connection_close(conn);
	assert_int_equal(crossvm_connection_list_below(guest.root, &daemon.options, &entries), 2);
	free(entries);

	/* What the daemon does not have, a device may: this machine can be host and guest. */
	strcpy((char *)guest.status->name, "inner");
	fake_guest_file(&guest, "sys/class/uio/uio0/name", "inner\n");
	request.name = "inner";
	assert_int_equal(crossvm_connection_open_below(&request, &conn), 0);
	crossvm_connection_info(conn, &info);
	assert_int_equal(info.backend, CROSSVM_BACKEND_UIO_CROSSVM);
	crossvm_connection_close(conn);
	fake_daemon_stop(&daemon);
}

static void a_users_own_daemon_comes_before_the_systems(void **state)
{
	struct crossvm_connection *conn;
	struct fake_daemon own;
	struct fake_daemon systems;
	char path[128];

	(void)state;
	fake_guest_file(&guest, "run/user/crossvm/nothing", "");
	fake_guest_file(&guest, "run/crossvm/nothing", "");
	setenv("XDG_RUNTIME_DIR", "/run/user", 1);
	fake_daemon_start(&own, fake_serve_well, NULL);
	fake_daemon_start(&systems, fake_serve_well, NULL);
	systems.status->connection_id = 8;
	snprintf(path, sizeof(path), "%s/run/crossvm/component.socket", guest.root);
	assert_int_equal(rename(systems.path, path), 0);
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(connection_id(conn), 8);
	crossvm_connection_close(conn);

	snprintf(path, sizeof(path), "%s/run/user/crossvm/component.socket", guest.root);
	assert_int_equal(rename(own.path, path), 0);
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(connection_id(conn), 7);
	crossvm_connection_close(conn);
	unsetenv("XDG_RUNTIME_DIR");
	fake_daemon_stop(&own);
	fake_daemon_stop(&systems);

	/* Sockets that nobody serves any more are as good as none. */
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -ENODEV);
}

static void the_single_layout_works_without_our_driver(void **state)
{
	struct crossvm_connection *conn;
	size_t bytes;

	(void)state;
	fake_guest_add_device(&guest, NULL);
	guest.registers[CROSSVM_REG_STATUS_OFFSET / 4] = CROSSVM_SINGLE_STATUS_OFFSET;
	fake_guest_single(&guest);
	conn = fake_guest_must_open(&guest, CROSSVM_OPEN_WRITE);
	assert_non_null(crossvm_connection_dataport(conn, &bytes));
	assert_int_equal(bytes, FAKE_GUEST_DATAPORT_BYTES);
	crossvm_connection_close(conn);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_any_device_there_is_none),
		TEST(our_driver_comes_first),
		TEST(then_the_stock_driver),
		TEST(without_interrupt_the_stock_driver_is_of_no_use),
		TEST(no_driver_is_enough),
		TEST(without_driver_waits_poll),
		TEST(a_function_that_nobody_enabled_is_enabled),
		TEST(an_interrupt_that_nobody_handles_is_masked),
		TEST(devices_of_other_drivers_are_left_alone),
		TEST(a_component_socket_comes_before_devices),
		TEST(a_users_own_daemon_comes_before_the_systems),
		TEST(the_single_layout_works_without_our_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
