/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anybody may connect to the component socket. To find out which components a process may be must not
 * cost calls for each of those in the system file.
 */
#include "calls.h"
#include "hostile.h"

#include <sys/socket.h>

#define STRANGER 61003u
#define CONNECTS 20
/* Accept, credentials, groups, watch, receive, answer, close: for each, with something to spare. */
#define FEW_CALLS 40u

static struct calls calls;

/* Each with a user and a group of its own, which nobody is. */
static void make_system(char *system, unsigned int components)
{
	char *end = stpcpy(system, "components:\n");

	for (unsigned int i = 0; i < components; i++)
		end += sprintf(end, "- {name: a%u, %s: %u}\n", i, i % 2 ? "group" : "user",
			       62000 + i);
	strcpy(end, "connections:\n- {name: bell, members: [{component: a0}, {component: a1}]}\n");
}

static void connect_often(const struct daemon *daemon)
{
	for (int i = 0; i < CONNECTS; i++) {
		int fd = component_connect(daemon);

		/* A stranger has gone by now. */
		send(fd, "boom", 4, MSG_NOSIGNAL);
		hostile_wait_end(fd);
		close(fd);
	}
}

/* @return calls for each. */
static unsigned int count(struct daemon *daemon, unsigned int components, uid_t user)
{
	static char system[32 << 10];

	make_system(system, components);
	daemon_start(daemon, system, NULL);
	calls_begin(&calls, daemon_worker(daemon), 0, false);
	hostile_as_user(user, connect_often, daemon);
	calls_end(&calls);
	hostile_end_users();
	hostile_stop(daemon);
	return calls.of[0].total / CONNECTS;
}

static void by_somebody(void **state, uid_t user, const char *who)
{
	unsigned int few = count(*state, 2, user);
	unsigned int many = count(*state, 256, user);

	print_message("a connect by %s takes %u system calls with 2 components, %u with 256\n", who,
		      few, many);
	assert_in_range(many, 1, FEW_CALLS);
}

static void by_a_stranger(void **state)
{
	by_somebody(state, STRANGER, "a stranger");
}

static void by_a_component(void **state)
{
	by_somebody(state, 62000, "a component");
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(by_a_stranger),
	HOSTILE_TEST(by_a_component),
};

TESTS_MAIN(tests)
