/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any number of threads emit and look while one waits; built with the thread sanitizer.
 */
#include <sched.h>

#include "fake_daemon.h"
#include "fixture.h"

#define EMITTERS 3
#define EMITS    2000
#define EVENTS   5000

static struct fake_daemon crossvmd;
static struct crossvm_connection *conn;

static void *emit_many(void *failures)
{
	for (int i = 0; i < EMITS; i++) {
		struct crossvm_peer peer;

		if (crossvm_connection_emit(conn) || crossvm_connection_peer(conn, 0, &peer) ||
		    crossvm_connection_total(conn) > EVENTS)
			atomic_fetch_add((_Atomic int *)failures, 1);
	}
	return NULL;
}

static void *cause_events(void *unused)
{
	(void)unused;
	for (int i = 0; i < EVENTS; i++) {
		fake_event(&crossvmd, 1);
		if (i % 16 == 0)
			fake_peer_change(&crossvmd, 0, i % 32 ? CROSSVM_PEER_OPEN : 1);
	}
	return NULL;
}

static void no_event_is_lost_either_way(void **state)
{
	pthread_t emitters[EMITTERS];
	pthread_t peer;
	_Atomic int failures = 0;
	uint64_t received = 0;

	(void)state;
	fake_daemon_start(&crossvmd, fake_serve_well, NULL);
	assert_int_equal(
		crossvm_connection_open("telemetry", CROSSVM_OPEN_EMIT, &crossvmd.options, &conn),
		0);
	for (int i = 0; i < EMITTERS; i++)
		pthread_create(&emitters[i], NULL, emit_many, &failures);
	pthread_create(&peer, NULL, cause_events, NULL);
	while (received < EVENTS) {
		uint64_t count;
		int error = crossvm_connection_wait(conn, -1, &count);

		assert_int_equal(error, 0);
		received += count;
	}
	pthread_join(peer, NULL);
	for (int i = 0; i < EMITTERS; i++)
		pthread_join(emitters[i], NULL);
	while (atomic_load(&crossvmd.emits) < (uint64_t)EMITTERS * EMITS)
		sched_yield();
	assert_int_equal(received, EVENTS);
	assert_int_equal(atomic_load(&crossvmd.emits), EMITTERS * EMITS);
	assert_int_equal(failures, 0);
	crossvm_connection_close(conn);
	fake_daemon_stop(&crossvmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_event_is_lost_either_way)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
