/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm.h"

#include <fcntl.h>
#include <sys/resource.h>

/* The number that the next descriptor would get. */
static rlim_t next_descriptor(pid_t worker)
{
	char path[64];
	rlim_t fd = 0;

	do
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker, (int)fd++);
	while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return fd - 1;
}

static void limit_descriptors(pid_t worker, rlim_t most)
{
	struct rlimit limit;

	assert_int_equal(prlimit(worker, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = most;
	assert_int_equal(prlimit(worker, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void components_are_turned_away_with_a_sentence(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b, c;
	struct crossvm_component_failure failure;
	int fd;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	limit_descriptors(daemon_worker(daemon), next_descriptor(daemon_worker(daemon)));
	for (int i = 0; i < 20; i++) {
		fd = component_connect(daemon);
		failure = component_failed(fd, -EMFILE);
		assert_string_equal(failure.message,
				    "crossvmd has as many files open as it may; raise LimitNOFILE= "
				    "or close connections");
	}
	component_emit(&a);
	component_wait_total(&b, 1);
	component_emit(&b);
	component_wait_total(&a, 1);
	/* it does not last */
	limit_descriptors(daemon_worker(daemon), 1024);
	c = component_open(daemon, "data", "c", ACCESS_RO);
	component_close(&a);
	component_close(&b);
	component_close(&c);
	assert_int_equal(daemon_stop(daemon), 0);
}

/* Even the descriptor kept for this is of no use: they wait, and the worker does not spin. */
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
	DAEMON_TEST(components_are_turned_away_with_a_sentence),
};

TESTS_MAIN(tests)
