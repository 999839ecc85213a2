/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "fake_daemon.h"
#include "fixture.h"

#define ACCESS (CROSSVM_OPEN_READ | CROSSVM_OPEN_EMIT)

static struct crossvm_connection *open_at(struct fake_daemon *daemon)
{
	struct crossvm_connection *conn;

	fake_daemon_start(daemon, fake_serve_well, NULL);
	assert_int_equal(crossvm_connection_open("telemetry", ACCESS, &daemon->options, &conn), 0);
	return conn;
}

static void *stop_daemon(void *daemon)
{
	fake_daemon_stop(daemon);
	return NULL;
}

static void a_wait_ends_with_epipe(void **state)
{
	struct fake_daemon daemon;
	struct crossvm_connection *conn = open_at(&daemon);
	uint64_t count = 99;
	pthread_t thread;
	int error;

	(void)state;
	pthread_create(&thread, NULL, stop_daemon, &daemon);
	error = crossvm_connection_wait(conn, -1, &count);
	pthread_join(thread, NULL);
	assert_int_equal(error, -EPIPE);
	assert_int_equal(count, 0);
	assert_error_says("crossvmd has closed the connection");
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -EPIPE);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -EPIPE);
	assert_int_equal(crossvm_connection_emit(conn), -EPIPE);
	crossvm_connection_close(conn);
}

static void an_emit_ends_with_epipe_and_no_signal(void **state)
{
	struct fake_daemon daemon;
	struct crossvm_connection *conn = open_at(&daemon);

	(void)state;
	fake_daemon_stop(&daemon);
	assert_int_equal(crossvm_connection_emit(conn), -EPIPE);
	crossvm_connection_close(conn);
}

static void a_look_finds_it_gone(void **state)
{
	struct fake_daemon daemon;
	struct crossvm_connection *conn = open_at(&daemon);
	struct pollfd wanted = {.fd = crossvm_connection_fd(conn), .events = POLLIN};

	(void)state;
	fake_daemon_stop(&daemon);
	assert_int_equal(poll(&wanted, 1, 0), 1);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -EPIPE);
	crossvm_connection_close(conn);
}

static void events_before_its_end_are_still_told(void **state)
{
	struct fake_daemon daemon;
	struct crossvm_connection *conn = open_at(&daemon);
	uint64_t count = 0;

	(void)state;
	fake_event(&daemon, 3);
	fake_daemon_stop(&daemon);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), -EPIPE);
	/* Mapped memory outlives the daemon. */
	assert_non_null(crossvm_connection_dataport(conn, NULL));
	assert_int_equal(crossvm_connection_total(conn), 3);
	crossvm_connection_close(conn);
}

static void do_nothing(int number)
{
	(void)number;
}

static void a_signal_ends_a_wait(void **state)
{
	struct itimerval soon = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}};
	struct sigaction action = {.sa_handler = do_nothing};
	struct sigaction before;
	struct fake_daemon daemon;
	sigset_t alarm_only;
	sigset_t mask;
	struct crossvm_connection *conn;
	int error;

	(void)state;
	/* The daemon's thread, started meanwhile, does not take the signal. */
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm_only, &mask);
	conn = open_at(&daemon);
	sigaction(SIGALRM, &action, &before);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	error = crossvm_connection_wait(conn, -1, NULL);
	soon = (struct itimerval){0};
	setitimer(ITIMER_REAL, &soon, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_int_equal(error, -EINTR);
	crossvm_connection_close(conn);
	fake_daemon_stop(&daemon);
}

static void a_count_that_goes_back_is_no_count(void **state)
{
	struct fake_daemon daemon;
	struct crossvm_connection *conn;
	uint64_t count = 99;

	(void)state;
	conn = open_at(&daemon);
	fake_event(&daemon, 10);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), 0);
	daemon.status->total_events = 9;
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), -EPROTO);
	assert_int_equal(count, 0);
	assert_error_says("went back from 10 to 9");
	crossvm_connection_close(conn);
	fake_daemon_stop(&daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_ends_with_epipe),
		cmocka_unit_test(an_emit_ends_with_epipe_and_no_signal),
		cmocka_unit_test(a_look_finds_it_gone),
		cmocka_unit_test(events_before_its_end_are_still_told),
		cmocka_unit_test(a_signal_ends_a_wait),
		cmocka_unit_test(a_count_that_goes_back_is_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
