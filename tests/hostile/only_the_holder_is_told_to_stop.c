/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who wants the daemon to end says so to its main process, or to all at once, as a terminal does. A
 * signal to another of its processes may cost that process, which is replaced, but nobody a connection.
 */
#include "hostile.h"

#include <signal.h>

struct clients {
	struct component a, b;
	struct vm v, w;
	uint64_t emitted;
};

static struct clients clients_start(struct daemon *daemon)
{
	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	return (struct clients){.a = component_open(daemon, "mixed", "a", 0),
				.b = component_open(daemon, "mixed", "b", 0),
				.v = vm_attach(daemon, "v", "mixed"),
				.w = vm_attach(daemon, "w", "link")};
}

static void clients_are_served(struct clients *clients)
{
	component_emit(&clients->a);
	component_wait_total(&clients->b, ++clients->emitted);
	vm_wait_total(&clients->v, clients->emitted);
	hostile_expect_answers(&clients->w);
}

static void clients_end(struct clients *clients)
{
	component_close(&clients->a);
	component_close(&clients->b);
	vm_detach(&clients->v);
	vm_detach(&clients->w);
}

static void signals_to_others_end_nothing(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct daemon *daemon = *state;
	struct clients clients = clients_start(daemon);

	for (unsigned int i = 0; i < 3 * sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t children[8];
		size_t count = daemon_processes(daemon, "crossvmd:", children, 8);

		for (size_t j = 0; j < count; j++)
			kill(children[j], signals[i % 3]);
		clients_are_served(&clients);
	}
	hostile_stop(daemon);
	clients_end(&clients);
}

/* A closer or a worker that has been told so must not keep the daemon from ending, either. */
static void a_signal_to_the_first_ends_all(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};
	struct daemon *daemon = *state;

	for (int i = 0; i < 2; i++) {
		struct clients clients = clients_start(daemon);

		clients_are_served(&clients);
		hostile_stop_by(daemon, signals[i]);
		hostile_wait_end(clients.w.events);
		clients_end(&clients);
	}
}

static void ignore(int signal)
{
	(void)signal; /* a handler, since what is ignored would be ignored by the daemon, too */
}

/* As at a terminal: control-C. */
static void a_signal_to_all_ends_all(void **state)
{
	const struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
	const pid_t group = getpgrp();
	struct daemon *daemon = *state;
	struct clients clients;

	assert_return_code(sigaction(SIGINT, &action, NULL), errno);
	/* A group of its own, if it is not one already. */
	if (group != getpid())
		assert_int_equal(setpgid(0, 0), 0);
	clients = clients_start(daemon);
	clients_are_served(&clients);
	assert_return_code(kill(0, SIGINT), errno);
	assert_int_equal(hostile_wait_exit(daemon), 0);
	hostile_wait_end(clients.w.events);
	clients_end(&clients);
	if (group != getpid())
		assert_int_equal(setpgid(0, group), 0);
	signal(SIGINT, SIG_DFL);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(signals_to_others_end_nothing),
	HOSTILE_TEST(a_signal_to_the_first_ends_all),
	HOSTILE_TEST(a_signal_to_all_ends_all),
};

TESTS_MAIN(tests)
