/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new worker needs descriptors and memory of its own. If there are none for a moment, the holder tries
 * again: the VMs and components that wait for it must not lose their connections for that.
 */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>

static void set_limit(pid_t holder, rlim_t most, struct rlimit *before)
{
	struct rlimit limit;

	assert_int_equal(prlimit(holder, RLIMIT_NOFILE, NULL, &limit), 0);
	if (before != NULL)
		*before = limit;
	limit.rlim_cur = most;
	assert_int_equal(prlimit(holder, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void when_there_is_no_descriptor_for_a_while(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b, c;
	struct rlimit before;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	set_limit(daemon->pid, 3, &before);
	assert_int_equal(kill(daemon_worker(daemon), SIGKILL), 0);
	component_emit(&a);
	daemon_wait_log(daemon, "a worker cannot begin: Too many open files");
	daemon_wait_log(daemon, "the worker ended with status 3; another one carries on");
	set_limit(daemon->pid, before.rlim_cur, NULL);
	component_wait_total(&b, 1);
	c = component_open(daemon, "data", "c", ACCESS_RO);
	component_close(&a);
	component_close(&b);
	component_close(&c);
	assert_int_equal(daemon_stop(daemon), 0);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(when_there_is_no_descriptor_for_a_while),
};

TESTS_MAIN(tests)
