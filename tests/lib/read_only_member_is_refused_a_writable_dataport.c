/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <unistd.h>

#include "fake_daemon.h"
#include "fixture.h"

static void read_only_component_is_told_what_to_do(void **state)
{
	struct crossvm_connection *conn;
	struct fake_daemon daemon;
	size_t bytes;
	void *dataport;

	(void)state;
	fake_daemon_start(&daemon, fake_serve_well, NULL);
	daemon.status->access = CROSSVM_ACCESS_READ;
	assert_int_equal(
		crossvm_connection_open("telemetry", CROSSVM_OPEN_WRITE, &daemon.options, &conn),
		-EACCES);
	assert_error_says("telemetry: member 'logger' is read-only");
	assert_error_says("'access: read-write' in the system file");
	assert_int_equal(
		crossvm_connection_open("telemetry", CROSSVM_OPEN_READ, &daemon.options, &conn), 0);
	dataport = crossvm_connection_dataport(conn, &bytes);
	assert_non_null(dataport);
	assert_int_equal(bytes, FAKE_DATAPORT_BYTES);
	crossvm_connection_close(conn);
	fake_daemon_stop(&daemon);
}

static void opened_for_reading_nothing_can_be_stored(void **state)
{
	struct crossvm_connection *conn;
	struct fake_daemon daemon;
	void *dataport;

	(void)state;
	fake_daemon_start(&daemon, fake_serve_well, NULL);
	assert_int_equal(
		crossvm_connection_open("telemetry", CROSSVM_OPEN_READ, &daemon.options, &conn), 0);
	dataport = crossvm_connection_dataport(conn, NULL);
	/* The kernel, asked to store there for us, refuses as a store would. */
	assert_int_equal(pread(daemon.status_fd, dataport, 16, 0), -1);
	assert_int_equal(errno, EFAULT);
	crossvm_connection_close(conn);
	fake_daemon_stop(&daemon);
}

static void member_without_access_gets_events_only(void **state)
{
	struct crossvm_connection *conn;
	struct fake_daemon daemon;

	(void)state;
	fake_daemon_start(&daemon, fake_serve_well, NULL);
	daemon.status->access = 0;
	assert_int_equal(
		crossvm_connection_open("telemetry", CROSSVM_OPEN_READ, &daemon.options, &conn),
		-EACCES);
	assert_error_says("may not read");
	assert_int_equal(
		crossvm_connection_open("telemetry", CROSSVM_OPEN_EMIT, &daemon.options, &conn), 0);
	crossvm_connection_close(conn);
	fake_daemon_stop(&daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_only_component_is_told_what_to_do),
		cmocka_unit_test(opened_for_reading_nothing_can_be_stored),
		cmocka_unit_test(member_without_access_gets_events_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
