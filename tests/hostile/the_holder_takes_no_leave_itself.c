/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The holder has no sandbox and all rights: told to stop, it reads nothing that a client has sent and
 * answers nobody. To take leave of clients is the worker's part.
 */
#include "calls.h"
#include "hostile.h"

#include <signal.h>
#include <sys/wait.h>

static struct calls calls;

/* What would mean that it deals with clients. */
static const struct {
	unsigned int number;
	const char *name;
} forbidden[] = {
	{SYS_recvmsg, "recvmsg"},
	{SYS_recvmmsg, "recvmmsg"},
	{SYS_recvfrom, "recvfrom"},
	{SYS_sendmsg, "sendmsg"},
	{SYS_sendmmsg, "sendmmsg"},
	{SYS_accept4, "accept4"},
	{SYS_accept, "accept"},
	{SYS_epoll_ctl, "epoll_ctl"},
	{SYS_getsockopt, "getsockopt"},
	{SYS_shutdown, "shutdown"},
	/* In the table that it shares with a worker which may just begin, and closes what nobody knows. */
	{SYS_openat, "openat"},
	{SYS_socket, "socket"},
	{SYS_eventfd2, "eventfd2"},
};

static void when_it_is_told_to_stop(void **state)
{
	const struct crossvm_component_emit emit = {.header = {CROSSVM_COMPONENT_MAGIC,
							       CROSSVM_COMPONENT_VERSION,
							       CROSSVM_COMPONENT_EMIT}};
	struct daemon *daemon = *state;
	struct component a, b;
	struct vm v, w;
	unsigned int deals = 0;
	int status;

	/* A sanitizer cannot look for leaks in a process that is traced. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	unsetenv("ASAN_OPTIONS");
	v = vm_attach(daemon, "v", "link");
	w = vm_attach(daemon, "w", "link");
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	/* There is something to be read of everybody. */
	hostile_pause(daemon, true);
	vm_write_register(&v, CROSSVM_REG_EMIT, 1, true);
	component_send(a.socket, &emit, sizeof(emit));
	calls_begin(&calls, daemon->pid, 0, false);
	kill(daemon->pid, SIGTERM);
	hostile_pause(daemon, false);
	status = calls_wait_exit(&calls, daemon->pid);
	calls_end(&calls);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		const unsigned int count =
			calls_of(&calls, daemon->pid)->counts[forbidden[i].number];

		if (count > 0)
			print_error("the holder calls %s %u times\n", forbidden[i].name, count);
		deals += count;
	}
	daemon->pid = 0;
	if (status != 0)
		fail_msg("crossvmd ended with status 0x%x: %s", (unsigned int)status,
			 hostile_end_of_log(daemon));
	assert_int_equal(deals, 0);
	component_close(&a);
	component_close(&b);
	vm_detach(&v);
	vm_detach(&w);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(when_it_is_told_to_stop),
};

TESTS_MAIN(tests)
