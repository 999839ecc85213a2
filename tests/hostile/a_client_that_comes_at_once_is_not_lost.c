/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new worker closes descriptors that nobody knows. All processes of the daemon share one table: what
 * another one of them opens for a moment, meanwhile, is unknown as well, and when that has closed it,
 * its number is a client's. So a client that connects when the daemon has just begun, or a worker has,
 * must be served like any other. It is a race: the test tries often.
 */
#include "hostile.h"

#include <signal.h>

#define STARTS  150u
#define WORKERS 150u
#define CLIENTS 4u

static void serve_some(const struct daemon *daemon)
{
	int fds[CLIENTS];

	for (unsigned int i = 0; i < CLIENTS; i++) {
		fds[i] = component_connect(daemon);
		component_request(fds[i], CROSSVM_COMPONENT_OPEN, i % 2 ? "bell" : "mixed", "a", 0);
	}
	for (unsigned int i = 0; i < CLIENTS; i++) {
		struct component component = component_opened(fds[i], 0);

		component_close(&component);
	}
}

static void when_the_daemon_begins(void **state)
{
	for (unsigned int i = 0; i < STARTS; i++) {
		daemon_start(*state, HOSTILE_SYSTEM, NULL);
		serve_some(*state);
		hostile_stop(*state);
	}
}

/* A service manager's watchdog wants to hear of the daemon all the time, at a socket. */
static void when_a_worker_begins(void **state)
{
	setenv("WATCHDOG_USEC", "20000", 1);
	daemon_start(*state, HOSTILE_SYSTEM, NULL);
	unsetenv("WATCHDOG_USEC");
	for (unsigned int i = 0; i < WORKERS; i++) {
		kill(daemon_worker(*state), SIGKILL);
		serve_some(*state);
	}
	hostile_stop(*state);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(when_the_daemon_begins),
	HOSTILE_TEST(when_a_worker_begins),
};

TESTS_MAIN(tests)
