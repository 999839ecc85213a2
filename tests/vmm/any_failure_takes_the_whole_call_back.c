// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every step that can fail does so in turn: nothing of the call stays (defect 17: every error path
 * leaked), what was there before goes on working, and a person is told.
 */
#include "tests/vmm/fake.h"

#include <errno.h>

static seL4_CPtr frames[] = {1, 2, 3};
static crossvm_dataport_handle_t dataport = {.size = 3 * 4096, .num_frames = 3, .frames = frames};

static crossvm_handle_t handles[] = {
	{.dataport = &dataport, .consume_id = 10},
	{.consume_id = 11},
	{.dataport = &dataport, .consume_id = 12, .connection_name = "named"},
};

static int init_three(void)
{
	return cross_vm_connections_init_common(&fake.vms[0], 0, handles, 3, &fake.pci,
						fake_alloc_irq);
}

/* Let each step of an init call fail; returns how many there were. */
static unsigned int fail_in_turn(void)
{
	size_t allocations = fake.allocations;
	unsigned int installed = fake.installed;

	for (unsigned int step = 1;; step++) {
		fake.fail_at = step;
		fake.steps = 0;
		fake.errors = 0;
		if (init_three() == 0)
			return step - 1;
		assert_int_equal(fake.steps, step); /* nothing was tried after the failure */
		assert_int_equal(fake.errors, 1);
		assert_int_equal(fake.allocations, allocations);
		assert_int_equal(fake.created, installed);
		assert_int_equal(fake.installed, installed);
	}
}

static void of_a_first_call(void **state)
{
	(void)state;
	/* The VM's state and its place; of each connection its memory, device and installation. */
	assert_int_equal(fail_in_turn(), 2 + 3 * 3);
	assert_int_equal(fake.installed, 3);
}

static void of_a_later_call(void **state)
{
	struct crossvm_connection_options options = fake_options(1);

	(void)state;
	options.handle.connection_name = "first";
	assert_int_equal(fake_init_one(&options), 0);
	assert_int_equal(fail_in_turn(), 3 * 3);
	assert_int_equal(fake.installed, 4);
	consume_connection_event(&fake.vms[0], 1, true);
	assert_ptr_equal(fake.interrupted, fake_connection(0, 0));
}

/* A connection that was taken back must not be found by its id. */
static void events_of_what_was_taken_back_do_nothing(void **state)
{
	(void)state;
	fake.fail_at = 2 + 3 * 3; /* the last installation */
	assert_int_equal(init_three(), -1);
	consume_connection_event(&fake.vms[0], 10, true);
	assert_int_equal(fake.interrupts, 0);
	assert_int_equal(crossvm_peer_set(&fake.vms[0], 10, 0, NULL,
					  (struct crossvm_peer_status){CROSSVM_PEER_OPEN, 1}),
			 -ENOENT);
	crossvm_connections_destroy(&fake.vms[0]);
}

static void a_mistake_in_the_last_comes_before_any_side_effect(void **state)
{
	int irq = fake.next_irq;

	(void)state;
	handles[2].connection_name = "not allowed";
	assert_int_equal(init_three(), -1);
	handles[2].connection_name = "named";
	assert_int_equal(fake.next_irq, irq);
	assert_int_equal(fake.removals, 0);
	assert_int_equal(fake.allocations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_first_call, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(of_a_later_call, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(events_of_what_was_taken_back_do_nothing,
						fake_start, fake_end),
		cmocka_unit_test_setup_teardown(a_mistake_in_the_last_comes_before_any_side_effect,
						fake_start, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
