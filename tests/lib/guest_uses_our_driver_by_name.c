/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "fake_guest.h"
#include "fixture.h"

static struct fake_guest guest;

static int start(void **state)
{
	(void)state;
	fake_guest_create(&guest);
	fake_guest_add_device(&guest, "uio_crossvm");
	fake_guest_add_uio_crossvm(&guest);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_guest_destroy(&guest);
	return 0;
}

static bool readable(int fd)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};

	return poll(&wanted, 1, 0) == 1;
}

static void info_says_how_it_is_reached(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);
	struct crossvm_connection_info info;

	(void)state;
	crossvm_connection_info(conn, &info);
	assert_string_equal(info.name, "telemetry");
	assert_int_equal(info.backend, CROSSVM_BACKEND_UIO_CROSSVM);
	assert_string_equal(info.interrupt, "msi");
	assert_int_equal(info.revision, 2);
	assert_int_equal(info.connection_id, 7);
	assert_int_equal(info.member_count, 2);
	assert_int_equal(info.dataport_bytes, FAKE_GUEST_DATAPORT_BYTES);
	crossvm_connection_close(conn);
}

static void dataport_has_its_exact_size(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_WRITE);
	size_t bytes;
	unsigned char *dataport = crossvm_connection_dataport(conn, &bytes);

	(void)state;
	assert_int_equal(bytes, FAKE_GUEST_DATAPORT_BYTES);
	dataport[bytes - 1] = 0x5a;
	assert_int_equal(guest.dataport[bytes - 1], 0x5a);
	crossvm_connection_close(conn);
}

static void an_emit_is_one_store_to_the_register(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);
	uint32_t before[CROSSVM_PAGE_BYTES / 4];

	(void)state;
	memcpy(before, guest.registers, sizeof(before));
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 1);
	assert_memory_equal(before + 1, guest.registers + 1, sizeof(before) - 4);
	crossvm_connection_close(conn);
}

static void waits_count_by_the_status_page_not_by_interrupts(void **state)
{
	struct crossvm_connection *conn;
	uint64_t count;

	(void)state;
	fake_guest_events(&guest, 2);
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	fake_guest_events(&guest, 1000);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 1000);
	/* An interrupt whose events have been counted already is no event. */
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	fake_guest_interrupt(&guest);
	assert_int_equal(crossvm_connection_wait(conn, 1, &count), -ETIMEDOUT);
	crossvm_connection_close(conn);
}

static void descriptor_is_readable_until_waits_have_taken_all(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);
	int fd = crossvm_connection_fd(conn);

	(void)state;
	assert_false(readable(fd));
	fake_guest_events(&guest, 1);
	assert_true(readable(fd));
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), 0);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	assert_false(readable(fd));
	crossvm_connection_close(conn);
}

static void *emit_later(void *context)
{
	usleep(20000);
	fake_guest_events(context, 1);
	return NULL;
}

/* Whether or not the interrupts before it have been read from the device. */
static void each_event_ends_a_wait(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);

	(void)state;
	for (int i = 0; i < 5; i++) {
		pthread_t peer;
		uint64_t count;

		assert_int_equal(pthread_create(&peer, NULL, emit_later, &guest), 0);
		assert_int_equal(crossvm_connection_wait(conn, i % 2 ? 60000 : -1, &count), 0);
		assert_int_equal(count, 1);
		pthread_join(peer, NULL);
	}
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	assert_false(readable(crossvm_connection_fd(conn)));
	crossvm_connection_close(conn);
}

static void handle(int signal)
{
	(void)signal;
}

/* Also where the handler was installed with SA_RESTART, as signal() does it. */
static void a_signal_ends_a_wait(void **state)
{
	const struct itimerval often = {.it_interval.tv_usec = 10000, .it_value.tv_usec = 10000};
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);
	int result;

	(void)state;
	assert_true(signal(SIGALRM, handle) != SIG_ERR);
	setitimer(ITIMER_REAL, &often, NULL);
	result = crossvm_connection_wait(conn, -1, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	assert_int_equal(result, -EINTR);
	crossvm_connection_close(conn);
}

static void a_read_only_vm_is_named_and_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	guest.status->access = CROSSVM_ACCESS_READ;
	assert_int_equal(fake_guest_open(&guest, "telemetry", CROSSVM_OPEN_WRITE, &conn), -EACCES);
	assert_error_says("telemetry: member 'autopilot' is read-only");
	conn = fake_guest_must_open(&guest, CROSSVM_OPEN_READ | CROSSVM_OPEN_EMIT);
	assert_int_equal(crossvm_connection_emit(conn), 0);
	crossvm_connection_close(conn);
}

/* As on seL4. */
static void a_read_only_vm_without_a_name_is_numbered(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	guest.status->access = CROSSVM_ACCESS_READ;
	memset(guest.status->peer_names, 0, sizeof(guest.status->peer_names));
	assert_int_equal(fake_guest_open(&guest, "telemetry", CROSSVM_OPEN_WRITE, &conn), -EACCES);
	assert_error_says("telemetry: member 0 is read-only");
	guest.status->access = 0;
	assert_int_equal(fake_guest_open(&guest, "telemetry", CROSSVM_OPEN_READ, &conn), -EACCES);
	assert_error_says("telemetry: member 0 may not read the dataport");
}

static void a_removed_device_ends_waits(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);

	(void)state;
	fake_guest_remove(&guest);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -ENODEV);
	assert_error_says("has been removed");
	assert_int_equal(crossvm_connection_emit(conn), -ENODEV);
	crossvm_connection_close(conn);
}

static void nothing_of_a_removed_device_is_touched(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);
	struct crossvm_peer peer;
	uint64_t count;

	(void)state;
	fake_guest_events(&guest, 3);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), 0);
	/* Nobody holds the other end of what stands for the device, and its memory goes. */
	close(guest.fifo);
	guest.fifo = -1;
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), -ENODEV);
	fake_guest_resize(&guest, "sys/bus/pci/devices/" FAKE_MEMORY "/resource0", 0);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), -ENODEV);
	assert_int_equal(count, 0);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ENODEV);
	assert_int_equal(crossvm_connection_wait_change(conn, 5, NULL, NULL), -ENODEV);
	assert_int_equal(crossvm_connection_total(conn), 3);
	assert_int_equal(crossvm_connection_peer(conn, 1, &peer), 0);
	assert_int_equal(peer.state, CROSSVM_PEER_UNKNOWN);
	crossvm_connection_close(conn);
}

static void another_name_is_not_found(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	assert_int_equal(fake_guest_open(&guest, "tele", 0, &conn), -ENOENT);
	assert_error_says("crossvm list");
}

static void the_link_by_name_serves_where_the_numbered_file_is_hidden(void **state)
{
	struct crossvm_connection *conn;
	char from[128];
	char to[128];

	(void)state;
	fake_guest_file(&guest, "dev/crossvm/telemetry", "");
	snprintf(from, sizeof(from), "%s/dev/uio0", guest.root);
	snprintf(to, sizeof(to), "%s/dev/crossvm/telemetry", guest.root);
	assert_int_equal(rename(from, to), 0);
	conn = fake_guest_must_open(&guest, CROSSVM_OPEN_WRITE);
	crossvm_connection_close(conn);
}

static void list_opens_nothing(void **state)
{
	const struct crossvm_open_options options = {0};
	struct crossvm_list_entry *entries;

	(void)state;
	fake_guest_file(&guest, "dev/uio0", NULL);
	fake_guest_file(&guest, "sys/bus/pci/devices/" FAKE_EVENTS "/crossvm_access", "read-only");
	assert_int_equal(crossvm_connection_list_below(guest.root, &options, &entries), 1);
	assert_string_equal(entries[0].name, "telemetry");
	assert_string_equal(entries[0].component, "");
	assert_int_equal(entries[0].backend, CROSSVM_BACKEND_UIO_CROSSVM);
	assert_int_equal(entries[0].member_access, CROSSVM_ACCESS_READ);
	assert_int_equal(entries[0].dataport_bytes, FAKE_GUEST_DATAPORT_BYTES);
	free(entries);
}

static void without_an_interrupt_waits_poll(void **state)
{
	struct crossvm_connection *conn;
	uint64_t count;

	(void)state;
	fake_guest_file(&guest, "sys/bus/pci/devices/" FAKE_EVENTS "/crossvm_irq", "none\n");
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(crossvm_connection_fd(conn), -ENOTSUP);
	assert_int_equal(crossvm_connection_wait(conn, 3, NULL), -ETIMEDOUT);
	guest.status->total_events = 4;
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 4);
	crossvm_connection_close(conn);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(info_says_how_it_is_reached),
		TEST(dataport_has_its_exact_size),
		TEST(an_emit_is_one_store_to_the_register),
		TEST(waits_count_by_the_status_page_not_by_interrupts),
		TEST(descriptor_is_readable_until_waits_have_taken_all),
		TEST(each_event_ends_a_wait),
		TEST(a_signal_ends_a_wait),
		TEST(a_read_only_vm_is_named_and_refused),
		TEST(a_read_only_vm_without_a_name_is_numbered),
		TEST(a_removed_device_ends_waits),
		TEST(nothing_of_a_removed_device_is_touched),
		TEST(another_name_is_not_found),
		TEST(the_link_by_name_serves_where_the_numbered_file_is_hidden),
		TEST(list_opens_nothing),
		TEST(without_an_interrupt_waits_poll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
