/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_guest.h"
#include "fixture.h"

#define MAPS "sys/class/uio/uio0/maps/"

static struct fake_guest guest;

static int start(void **state)
{
	(void)state;
	fake_guest_create(&guest);
	fake_guest_add_device(&guest, "uio_crossvm");
	fake_guest_add_uio_crossvm(&guest);
	fake_guest_file(&guest, "sys/bus/pci/devices/" FAKE_EVENTS "/revision", "0x01\n");
	fake_guest_file(&guest, MAPS "map2/name", NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_guest_destroy(&guest);
	return 0;
}

static void what_it_does_not_tell_is_unknown(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_WRITE);
	struct crossvm_connection_info info;
	struct crossvm_peer peer;
	size_t bytes;

	(void)state;
	crossvm_connection_info(conn, &info);
	assert_int_equal(info.revision, 1);
	assert_int_equal(info.member_count, 0);
	assert_int_equal(info.features, 0);
	assert_int_equal(info.member_access, CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE);
	assert_non_null(crossvm_connection_dataport(conn, &bytes));
	assert_int_equal(bytes, FAKE_GUEST_DATAPORT_BYTES);
	assert_int_equal(crossvm_connection_peer(conn, 0, &peer), -EINVAL);
	crossvm_connection_close(conn);
}

static void interrupts_since_open_are_counted_over_a_wrap(void **state)
{
	struct crossvm_connection *conn;
	uint64_t count;

	(void)state;
	fake_guest_file(&guest, "sys/class/uio/uio0/event", "4294967294\n");
	guest.interrupts = UINT32_MAX - 1;
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	guest.interrupts += 3;
	fake_guest_interrupt(&guest);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 4);
	fake_guest_interrupt(&guest);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(crossvm_connection_total(conn), 5);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	crossvm_connection_close(conn);
}

static void without_our_driver_it_is_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	fake_guest_link(&guest, "sys/bus/pci/devices/" FAKE_EVENTS "/driver", "uio_pci_generic");
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -EPROTO);
	assert_error_says("needs the driver uio_crossvm");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_it_does_not_tell_is_unknown),
		TEST(interrupts_since_open_are_counted_over_a_wrap),
		TEST(without_our_driver_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
