/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A component shares the flags of its eventfd with the daemon: it can fill it and make it blocking, and
 * the daemon's write would wait. It loses its connection for that, it does not cost the daemon a
 * descriptor each time, and a client that does it again and again is let do so no more.
 */
#include "hostile.h"

#include "descriptors.h"

#define ROUNDS  40u
#define ALLOWED 3u /* then no more, for a while */
#define EMITS   3u

static void again_and_again(void **state)
{
	struct daemon *daemon = *state;
	struct component emitter, other;
	size_t before;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	emitter = component_open(daemon, "bell", "a", 0);
	other = component_open(daemon, "bell", "b", 0);
	w = vm_attach(daemon, "w", "link");
	before = hostile_count_fds(daemon);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		struct component bad;

		if (i > ALLOWED) {
			component_open_refused(daemon, "bell", "b", 0, -EPERM);
			continue;
		}
		bad = component_open(daemon, "bell", "b", 0);
		descriptor_fill(bad.event_fd);
		for (unsigned int j = 0; j < EMITS; j++)
			component_emit(&emitter);
		component_wait_total(&other, EMITS * i);
		hostile_expect_answers(&w);
		/* Whether the daemon has parted from it by now is the daemon's affair. */
		component_close(&bad);
	}
	hostile_wait_fds(daemon, before);
	component_close(&emitter);
	component_close(&other);
	vm_detach(&w);
	hostile_stop(daemon);
}

/* The same by QEMU: an interrupt's eventfd. */
static void of_interrupts(void **state)
{
	struct daemon *daemon = *state;
	struct component emitter, other;
	size_t before;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	emitter = component_open(daemon, "mixed", "a", 0);
	other = component_open(daemon, "mixed", "b", 0);
	before = hostile_count_fds(daemon);
	for (uint64_t i = 1; i <= ALLOWED; i++) {
		struct vm bad = vm_attach(daemon, "v", "mixed");

		descriptor_fill(bad.interrupt);
		for (unsigned int j = 0; j < EMITS; j++)
			component_emit(&emitter);
		component_wait_total(&other, EMITS * i);
		hostile_expect_answers(&bad);
		vm_detach(&bad);
		hostile_wait_fds(daemon, before);
	}
	for (unsigned int i = ALLOWED; i < ROUNDS; i++)
		assert_false(vm_can_interrupt(daemon, "v", "mixed"));
	hostile_wait_fds(daemon, before);
	component_close(&emitter);
	component_close(&other);
	hostile_stop(daemon);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(again_and_again),
	HOSTILE_TEST(of_interrupts),
};

TESTS_MAIN(tests)
