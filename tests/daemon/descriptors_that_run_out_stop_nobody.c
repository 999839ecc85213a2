/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm.h"

#include <fcntl.h>
#include <sys/resource.h>

static void limit_descriptors(pid_t worker, rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(prlimit(worker, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = most;
	assert_int_equal(prlimit(worker, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* They wait, and the worker does not spin. */
static void components_wait_until_another_leaves(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b, c;
	int fd;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	limit_descriptors(daemon_worker(daemon), 3);
	fd = component_connect(daemon);
	daemon_wait_log(daemon, "no component can connect until another one leaves: Too many open "
				"files");
	component_emit(&a);
	component_wait_total(&b, 1);
	limit_descriptors(daemon_worker(daemon), 1024);
	component_close(&a);
	component_send(fd, "x", 1);
	component_failed(fd, -EPROTO);
	c = component_open(daemon, "bell", "a", 0);
	component_close(&b);
	component_close(&c);
	assert_int_equal(daemon_stop(daemon), 0);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(components_wait_until_another_leaves),
};

TESTS_MAIN(tests)
