/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon has places for so many component connections. One user's processes, however many, cannot
 * have them all: another user's component opens all the same.
 */
#include "hostile.h"

#include <poll.h>
#include <sys/socket.h>

#define GREEDY      61001u
#define OTHER       61002u
#define CONNECTIONS 40u
#define SOCKETS     600u

static void make_system(char *system)
{
	char *end = stpcpy(system, "components:\n"
				   "- {name: a, user: 61001}\n"
				   "- {name: b, user: 61002}\n"
				   "- {name: c, user: 61002}\n"
				   "connections:\n");

	for (unsigned int i = 0; i < CONNECTIONS; i++)
		end += sprintf(end, "- {name: c%u, members: [{component: a}, {component: b}]}\n",
			       i);
	strcpy(end, "- {name: bell, members: [{component: b}, {component: c}]}\n");
}

/* Each connection can be opened eight times by one component: all places that there are, and more. */
static void take_all(const struct daemon *daemon)
{
	for (unsigned int i = 0; i < SOCKETS; i++) {
		struct crossvm_component_request request = {.header = {CROSSVM_COMPONENT_MAGIC,
								       CROSSVM_COMPONENT_VERSION,
								       CROSSVM_COMPONENT_OPEN}};
		int fd = component_connect(daemon);
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		snprintf(request.connection, sizeof(request.connection), "c%u",
			 i / 8 % CONNECTIONS);
		hostile_send(fd, &request, sizeof(request), NULL, 0);
		/* Opened or refused; it is kept. */
		assert_int_equal(poll(&ready, 1, 60000), 1);
	}
}

static void idle_sockets(const struct daemon *daemon)
{
	for (unsigned int i = 0; i < SOCKETS; i++)
		component_connect(daemon);
}

static void others_open(const struct daemon *daemon)
{
	struct component b = component_open(daemon, "bell", "b", 0);
	struct component c = component_open(daemon, "bell", "c", 0);
	uint64_t total = c.page->total_events + 1;

	component_emit(&b);
	component_wait_total(&c, total);
}

static void that_has_opened_all_it_can(void **state)
{
	struct daemon *daemon = *state;
	char system[8192];

	make_system(system);
	daemon_start(daemon, system, NULL);
	hostile_as_user(GREEDY, take_all, daemon);
	hostile_as_user(OTHER, others_open, daemon);
	hostile_end_users();
	hostile_stop(daemon);
}

static void that_has_opened_nothing(void **state)
{
	struct daemon *daemon = *state;
	char system[8192];

	make_system(system);
	daemon_start(daemon, system, NULL);
	hostile_as_user(OTHER, others_open, daemon);
	hostile_as_user(GREEDY, idle_sockets, daemon);
	hostile_as_user(OTHER, others_open, daemon);
	hostile_end_users();
	hostile_stop(daemon);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(that_has_opened_all_it_can),
	HOSTILE_TEST(that_has_opened_nothing),
};

TESTS_MAIN(tests)
