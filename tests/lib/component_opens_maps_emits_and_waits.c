/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_daemon.h"
#include "fixture.h"

#define ALL (CROSSVM_OPEN_READ | CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT)

static struct fake_daemon crossvmd;

static int start(void **state)
{
	(void)state;
	fake_daemon_start(&crossvmd, fake_serve_well, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_daemon_stop(&crossvmd);
	return 0;
}

static struct crossvm_connection *open_with(unsigned int access)
{
	struct crossvm_connection *conn;
	int error = crossvm_connection_open("telemetry", access, &crossvmd.options, &conn);

	if (error)
		fail_msg("%s", crossvm_last_error());
	return conn;
}

static void info_says_what_the_daemon_told(void **state)
{
	struct crossvm_connection *conn = open_with(0);
	struct crossvm_connection_info info;

	(void)state;
	crossvm_connection_info(conn, &info);
	assert_string_equal(info.name, "telemetry");
	assert_int_equal(info.backend, CROSSVM_BACKEND_COMPONENT);
	assert_string_equal(info.interrupt, "eventfd");
	assert_int_equal(info.connection_id, 7);
	assert_int_equal(info.member_id, 1);
	assert_int_equal(info.member_count, 3);
	assert_int_equal(info.member_access, CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE);
	assert_int_equal(info.dataport_bytes, FAKE_DATAPORT_BYTES);
	crossvm_connection_close(conn);
}

static void dataport_is_shared_with_the_daemon(void **state)
{
	struct crossvm_connection *conn = open_with(ALL);
	size_t bytes = 0;
	unsigned char *dataport = crossvm_connection_dataport(conn, &bytes);

	(void)state;
	assert_int_equal(bytes, FAKE_DATAPORT_BYTES);
	dataport[bytes - 1] = 0x5a;
	assert_int_equal(crossvmd.dataport[bytes - 1], 0x5a);
	crossvm_connection_close(conn);
}

static void opened_for_events_only_there_is_no_dataport(void **state)
{
	struct crossvm_connection *conn = open_with(CROSSVM_OPEN_EMIT);
	size_t bytes = 1;

	(void)state;
	assert_null(crossvm_connection_dataport(conn, &bytes));
	assert_int_equal(bytes, 0);
	crossvm_connection_close(conn);
}

static void each_emit_reaches_the_daemon_once(void **state)
{
	struct crossvm_connection *conn = open_with(CROSSVM_OPEN_EMIT);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(crossvm_connection_emit(conn), 0);
	while (atomic_load(&crossvmd.emits) < 1000)
		sched_yield();
	assert_int_equal(atomic_load(&crossvmd.emits), 1000);
	crossvm_connection_close(conn);
}

static void emit_is_refused_when_not_asked_for(void **state)
{
	struct crossvm_connection *conn = open_with(CROSSVM_OPEN_READ);

	(void)state;
	assert_int_equal(crossvm_connection_emit(conn), -EACCES);
	assert_error_says("CROSSVM_OPEN_EMIT");
	crossvm_connection_close(conn);
}

static void wait_counts_events_since_open_exactly(void **state)
{
	struct crossvm_connection *conn;
	uint64_t count = 99;

	(void)state;
	fake_event(&crossvmd, 5);
	conn = open_with(0);
	assert_int_equal(crossvm_connection_total(conn), 5);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	assert_int_equal(count, 0);
	fake_event(&crossvmd, 3);
	fake_event(&crossvmd, (uint64_t)1 << 40);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, ((uint64_t)1 << 40) + 3);
	assert_int_equal(crossvm_connection_wait(conn, 1, NULL), -ETIMEDOUT);
	crossvm_connection_close(conn);
}

static bool readable(int fd)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};

	return poll(&wanted, 1, 0) == 1;
}

static void descriptor_is_readable_until_waits_have_taken_all(void **state)
{
	struct crossvm_connection *conn = open_with(0);
	int fd = crossvm_connection_fd(conn);

	(void)state;
	assert_true(fd >= 0);
	assert_false(readable(fd));
	fake_event(&crossvmd, 2);
	assert_true(readable(fd));
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), 0);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	assert_false(readable(fd));
	crossvm_connection_close(conn);
}

static void a_change_of_peers_ends_only_waits_for_changes(void **state)
{
	struct crossvm_connection *conn = open_with(0);
	struct crossvm_peer peer;
	uint64_t count = 99;
	bool changed = true;

	(void)state;
	assert_int_equal(crossvm_connection_wait_change(conn, 0, &count, &changed), -ETIMEDOUT);
	assert_false(changed);
	fake_peer_change(&crossvmd, 2, CROSSVM_PEER_OPEN);
	assert_int_equal(crossvm_connection_wait(conn, 0, &count), -ETIMEDOUT);
	assert_int_equal(crossvm_connection_wait_change(conn, -1, &count, &changed), 0);
	assert_true(changed);
	assert_int_equal(count, 0);
	assert_int_equal(crossvm_connection_peer(conn, 2, &peer), 0);
	assert_string_equal(peer.name, "autopilot");
	assert_int_equal(peer.state, CROSSVM_PEER_OPEN);
	assert_int_equal(peer.incarnation, 1);
	assert_int_equal(crossvm_connection_peer(conn, 3, &peer), -EINVAL);
	assert_int_equal(crossvm_connection_wait_change(conn, 0, &count, &changed), -ETIMEDOUT);
	fake_event(&crossvmd, 4);
	assert_int_equal(crossvm_connection_wait_change(conn, -1, &count, &changed), 0);
	assert_false(changed);
	assert_int_equal(count, 4);
	crossvm_connection_close(conn);
}

static void list_shows_what_the_daemon_tells(void **state)
{
	struct crossvm_list_entry *entries;

	(void)state;
	assert_int_equal(crossvm_connection_list_below("/nonexistent", &crossvmd.options, &entries),
			 1);
	assert_string_equal(entries[0].name, "telemetry");
	assert_string_equal(entries[0].component, "logger");
	assert_int_equal(entries[0].backend, CROSSVM_BACKEND_COMPONENT);
	assert_int_equal(entries[0].dataport_bytes, FAKE_DATAPORT_BYTES);
	free(entries);
}

static void unknown_connection_is_not_found(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	assert_int_equal(crossvm_connection_open("other", 0, &crossvmd.options, &conn), -ENOENT);
	assert_error_says("there is no such connection");
}

static void environment_names_the_socket_and_the_component(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	setenv("CROSSVM_SOCKET", crossvmd.path, 1);
	assert_int_equal(crossvm_connection_open("telemetry", 0, NULL, &conn), 0);
	crossvm_connection_close(conn);
	setenv("CROSSVM_SOCKET", "/nonexistent/socket", 1);
	assert_int_equal(crossvm_connection_open("telemetry", 0, NULL, &conn), -ECONNREFUSED);
	assert_error_says("is crossvmd running?");
	unsetenv("CROSSVM_SOCKET");
	setenv("CROSSVM_COMPONENT",
	       "a-name-that-is-far-too-long-for-a-component-of-any-system-file", 1);
	assert_int_equal(crossvm_connection_open("telemetry", 0, &crossvmd.options, &conn),
			 -EINVAL);
	unsetenv("CROSSVM_COMPONENT");
}

static void bad_arguments_are_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	assert_int_equal(crossvm_connection_open(NULL, 0, NULL, &conn), -EINVAL);
	assert_int_equal(crossvm_connection_open("", 0, NULL, &conn), -EINVAL);
	assert_int_equal(crossvm_connection_open("a/b", 0, NULL, &conn), -EINVAL);
	assert_int_equal(crossvm_connection_open("a\nb", 0, NULL, &conn), -EINVAL);
	assert_int_equal(
		crossvm_connection_open("a-name-of-48-characters-that-leaves-no-room-fornul", 0,
					NULL, &conn),
		-EINVAL);
	assert_int_equal(crossvm_connection_open("telemetry", 8, NULL, &conn), -EINVAL);
	crossvm_connection_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(info_says_what_the_daemon_told, start, stop),
		cmocka_unit_test_setup_teardown(dataport_is_shared_with_the_daemon, start, stop),
		cmocka_unit_test_setup_teardown(opened_for_events_only_there_is_no_dataport, start,
						stop),
		cmocka_unit_test_setup_teardown(each_emit_reaches_the_daemon_once, start, stop),
		cmocka_unit_test_setup_teardown(emit_is_refused_when_not_asked_for, start, stop),
		cmocka_unit_test_setup_teardown(wait_counts_events_since_open_exactly, start, stop),
		cmocka_unit_test_setup_teardown(descriptor_is_readable_until_waits_have_taken_all,
						start, stop),
		cmocka_unit_test_setup_teardown(a_change_of_peers_ends_only_waits_for_changes,
						start, stop),
		cmocka_unit_test_setup_teardown(list_shows_what_the_daemon_tells, start, stop),
		cmocka_unit_test_setup_teardown(unknown_connection_is_not_found, start, stop),
		cmocka_unit_test_setup_teardown(environment_names_the_socket_and_the_component,
						start, stop),
		cmocka_unit_test_setup_teardown(bad_arguments_are_refused, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
