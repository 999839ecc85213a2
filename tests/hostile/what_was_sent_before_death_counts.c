/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a process ends with an answer unread, the kernel reports that as an error of the daemon's
 * socket, before what the process had sent. An emit that has been sent counts all the same.
 */
#include "hostile.h"

#include <poll.h>

#define EMITS 7u

static void wait_readable(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 60000), 1);
}

static void by_a_component(void **state)
{
	struct daemon *daemon = *state;
	struct component other;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	other = component_open(daemon, "bell", "b", 0);
	for (uint64_t i = 1; i <= 5; i++) {
		struct component dying = {.socket = component_connect(daemon)};

		component_request(dying.socket, CROSSVM_COMPONENT_OPEN, "bell", "a", 0);
		wait_readable(dying.socket);
		hostile_pause(daemon, true);
		for (unsigned int j = 0; j < EMITS; j++)
			component_emit(&dying);
		close(dying.socket);
		hostile_pause(daemon, false);
		component_wait_total(&other, i * EMITS);
	}
	component_close(&other);
	hostile_stop(daemon);
}

/* All of its life within a moment, before the daemon has looked once. */
static void by_a_component_that_was_never_seen(void **state)
{
	struct daemon *daemon = *state;
	struct component other;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	other = component_open(daemon, "bell", "b", 0);
	for (uint64_t i = 1; i <= 5; i++) {
		struct component dying;

		hostile_pause(daemon, true);
		dying = (struct component){.socket = component_connect(daemon)};
		component_request(dying.socket, CROSSVM_COMPONENT_OPEN, "bell", "a", 0);
		for (unsigned int j = 0; j < EMITS; j++)
			component_emit(&dying);
		close(dying.socket);
		hostile_pause(daemon, false);
		component_wait_total(&other, i * EMITS);
	}
	component_close(&other);
	hostile_stop(daemon);
}

/* Posted stores behind a read whose answer nobody takes. */
static void by_a_vm(void **state)
{
	const struct vfio_user_access question = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						  .region = VFIO_PCI_BAR0_REGION_INDEX,
						  .count = 4};
	struct daemon *daemon = *state;
	struct vm v, w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	for (uint64_t i = 1; i <= 5; i++) {
		v = vm_attach(daemon, "v", "link");
		hostile_command(v.events, VFIO_USER_REGION_READ, 0, &question, sizeof(question),
				NULL, 0);
		wait_readable(v.events);
		hostile_pause(daemon, true);
		for (unsigned int j = 0; j < EMITS; j++)
			vm_write_register(&v, CROSSVM_REG_EMIT, 1, true);
		vm_detach(&v);
		hostile_pause(daemon, false);
		vm_wait_total(&w, i * EMITS);
	}
	vm_detach(&w);
	hostile_stop(daemon);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(by_a_component),
	HOSTILE_TEST(by_a_component_that_was_never_seen),
	HOSTILE_TEST(by_a_vm),
};

TESTS_MAIN(tests)
