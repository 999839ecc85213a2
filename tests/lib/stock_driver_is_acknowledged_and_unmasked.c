/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With uio_pci_generic the library does what our driver does otherwise: acknowledge, unmask, say
 * that the connection is open.
 */
#include <stdlib.h>
#include <sys/file.h>
#include <fcntl.h>
#include <unistd.h>

#include "fake_guest.h"
#include "fixture.h"

#define PENDING      guest.registers[CROSSVM_REG_PENDING / 4]
#define CONTROL      guest.registers[CROSSVM_REG_CONTROL / 4]
#define INTX_DISABLE 0x0400u
#define OPEN_CONTROL (CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_PEER_CHANGES)

static struct fake_guest guest;

static int start(void **state)
{
	(void)state;
	fake_guest_create(&guest);
	fake_guest_add_device(&guest, "uio_pci_generic");
	fake_guest_add_uio_generic(&guest);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_guest_destroy(&guest);
	return 0;
}

static void it_is_named_and_mapped(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_WRITE);
	struct crossvm_connection_info info;
	unsigned char *dataport;
	size_t bytes;

	(void)state;
	crossvm_connection_info(conn, &info);
	assert_int_equal(info.backend, CROSSVM_BACKEND_UIO_GENERIC);
	assert_string_equal(info.interrupt, "intx");
	assert_int_equal(info.revision, 2);
	dataport = crossvm_connection_dataport(conn, &bytes);
	assert_int_equal(bytes, FAKE_GUEST_DATAPORT_BYTES);
	dataport[0] = 0x5a;
	assert_int_equal(guest.dataport[0], 0x5a);
	crossvm_connection_close(conn);
}

static void opening_unmasks_and_says_open_closing_says_closed(void **state)
{
	struct crossvm_connection *first = fake_guest_must_open(&guest, 0);
	struct crossvm_connection *second = fake_guest_must_open(&guest, 0);

	(void)state;
	assert_int_equal(fake_guest_command(&guest), 0x0002);
	assert_int_equal(CONTROL, OPEN_CONTROL);
	crossvm_connection_close(first);
	assert_int_equal(CONTROL, OPEN_CONTROL);
	assert_int_equal(fake_guest_command(&guest), 0x0002);
	crossvm_connection_close(second);
	assert_int_equal(CONTROL, 0);
	/* Nobody is there to be interrupted. */
	assert_int_equal(fake_guest_command(&guest), 0x0002 | INTX_DISABLE);
}

static void a_wait_acknowledges_what_it_read_and_unmasks(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);
	uint64_t count;

	(void)state;
	fake_guest_set_command(&guest, 0x0002 | INTX_DISABLE); /* as the kernel does */
	fake_guest_events(&guest, 3);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	assert_int_equal(fake_guest_command(&guest) & INTX_DISABLE, 0);
	crossvm_connection_close(conn);
}

static void without_an_interrupt_nothing_is_acknowledged(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);

	(void)state;
	fake_guest_set_command(&guest, 0x0002 | INTX_DISABLE);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	assert_int_equal(fake_guest_command(&guest) & INTX_DISABLE, INTX_DISABLE);
	crossvm_connection_close(conn);
}

static void a_dead_device_is_no_device(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);

	(void)state;
	PENDING = UINT32_MAX;
	fake_guest_interrupt(&guest);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -ENODEV);
	assert_error_says("does not answer");
	crossvm_connection_close(conn);
}

static void one_process_waits_at_a_time(void **state)
{
	struct crossvm_connection *first = fake_guest_must_open(&guest, 0);
	struct crossvm_connection *second = fake_guest_must_open(&guest, 0);

	(void)state;
	assert_int_equal(crossvm_connection_wait(first, 0, NULL), -ETIMEDOUT);
	assert_int_equal(crossvm_connection_wait(second, 0, NULL), -EBUSY);
	assert_error_says("load the module uio_crossvm");
	assert_int_equal(crossvm_connection_fd(second), -EBUSY);
	crossvm_connection_close(first);
	assert_true(crossvm_connection_fd(second) >= 0);
	assert_int_equal(crossvm_connection_wait(second, 0, NULL), -ETIMEDOUT);
	crossvm_connection_close(second);
}

static void list_reads_the_registers(void **state)
{
	const struct crossvm_open_options options = {0};
	struct crossvm_list_entry *entries;

	(void)state;
	assert_int_equal(crossvm_connection_list_below(guest.root, &options, &entries), 1);
	assert_string_equal(entries[0].name, "telemetry");
	assert_int_equal(entries[0].backend, CROSSVM_BACKEND_UIO_GENERIC);
	assert_int_equal(entries[0].dataport_bytes, FAKE_GUEST_DATAPORT_BYTES);
	assert_int_equal(CONTROL, 0);
	free(entries);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_named_and_mapped),
		TEST(opening_unmasks_and_says_open_closing_says_closed),
		TEST(a_wait_acknowledges_what_it_read_and_unmasks),
		TEST(without_an_interrupt_nothing_is_acknowledged),
		TEST(a_dead_device_is_no_device),
		TEST(one_process_waits_at_a_time),
		TEST(list_reads_the_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
