/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever the daemon writes to, somebody else may have filled and made blocking. */
#include "vm.h"

#include <fcntl.h>
#include <signal.h>

#define MIXED                                                         \
	"vms: [{name: v}]\n"                                          \
	"components: [{name: a}, {name: b}]\n"                        \
	"connections:\n"                                              \
	"- {name: bell, members: [{component: a}, {component: b}]}\n" \
	"- {name: link, members: [{vm: v}, {component: a}, {component: b}]}\n"

static void fill(int event_fd)
{
	static const uint64_t full = UINT64_C(0xfffffffffffffffe);
	uint64_t count;

	fcntl(event_fd, F_SETFL, O_NONBLOCK);
	if (read(event_fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(event_fd, &full, sizeof(full)), sizeof(full));
	fcntl(event_fd, F_SETFL, 0);
}

static void of_a_vms_interrupt(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b;
	struct vm v;
	char end;

	daemon_start(daemon, MIXED, NULL);
	a = component_open(daemon, "link", "a", 0);
	b = component_open(daemon, "link", "b", 0);
	v = vm_attach(daemon, "v", "link");
	fill(v.interrupt);
	for (uint64_t i = 1; i <= 10; i++) {
		component_emit(&a);
		component_wait_total(&b, i);
	}
	/* the VM gets no more interrupts, but all that it asks for */
	assert_int_equal(vm_read_register(&v, CROSSVM_REG_TOTAL_EVENTS), 10);
	component_close(&a);
	component_close(&b);
	assert_int_equal(daemon_stop(daemon), 0);
	assert_int_equal(read(v.events, &end, 1), 0);
	vm_detach(&v);
}

/* The daemon must be able to take leave, too. */
static void at_the_end(void **state)
{
	struct daemon *daemon = *state;
	struct component a;
	struct vm v;

	daemon_start(daemon, MIXED, NULL);
	v = vm_attach(daemon, "v", "link");
	a = component_open(daemon, "link", "a", 0);
	vm_write_register(&v, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_PEER_CHANGES, false);
	fill(v.interrupt);
	fill(a.event_fd);
	assert_int_equal(daemon_stop(daemon), 0);
	component_close(&a);
	vm_detach(&v);
}

/* Standard error is a pipe that nobody reads. */
static void of_what_it_says(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(pipe_fds[1], "", 1) == 1)
		;
	fcntl(pipe_fds[1], F_SETFL, 0);
	daemon->log = pipe_fds[1];
	daemon_start(daemon, MIXED, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	for (uint64_t i = 1; i <= 20; i++) {
		component_open_refused(daemon, "nothing", "", 0, -ENOENT);
		daemon_kill_worker(daemon, SIGKILL);
		component_emit(&a);
		component_wait_total(&b, i);
	}
	component_close(&a);
	component_close(&b);
	assert_int_equal(daemon_stop(daemon), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(of_a_vms_interrupt),
	DAEMON_TEST(at_the_end),
	DAEMON_TEST(of_what_it_says),
};

TESTS_MAIN(tests)
