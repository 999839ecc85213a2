// SPDX-License-Identifier: BSD-2-Clause
/* Defect 17: there was no teardown. */
#include "tests/vmm/fake.h"

static void init_two(seL4_Word first_id)
{
	struct crossvm_connection_options options[2] = {fake_options(first_id),
							fake_options(first_id + 1)};

	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, options, 2, &fake.pci, fake_alloc_irq),
		0);
}

static void newest_first(void **state)
{
	(void)state;
	init_two(1);
	init_two(3);
	crossvm_connections_destroy(&fake.vms[0]);
	assert_int_equal(fake.removals, 4);
	assert_int_equal(fake.last_removed, 0);
	assert_int_equal(fake.allocations, 0);
	assert_int_equal(fake.created, 0);
	assert_null(fake.vms[0].vmm);
}

static void a_vm_begins_anew(void **state)
{
	(void)state;
	init_two(1);
	consume_connection_event(&fake.vms[0], 1, true);
	crossvm_connections_destroy(&fake.vms[0]);
	init_two(1);
	assert_string_equal(fake_connection(0, 0)->options.name, "connection-0");
	assert_int_equal(fake_connection(0, 0)->device.status->total_events, 0);
	consume_connection_event(&fake.vms[0], 2, true);
	assert_ptr_equal(fake.interrupted, fake_connection(0, 1));
}

static void what_has_no_connections_is_accepted(void **state)
{
	(void)state;
	crossvm_connections_destroy(&fake.vms[0]);
	crossvm_connections_destroy(NULL);
	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, NULL, 0, &fake.pci, fake_alloc_irq), 0);
	assert_null(fake.vms[0].vmm);
	crossvm_connections_destroy(&fake.vms[0]);
	init_two(1);
	crossvm_connections_destroy(&fake.vms[0]);
	crossvm_connections_destroy(&fake.vms[0]);
	assert_int_equal(fake.removals, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(newest_first, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(a_vm_begins_anew, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(what_has_no_connections_is_accepted, fake_start,
						fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
