// SPDX-License-Identifier: BSD-2-Clause
/* Defect 16: state was static, a second init overwrote the first, and lookup ignored the VM. */
#include "tests/vmm/fake.h"

static void init(unsigned int vm, seL4_Word id, const char *name)
{
	struct crossvm_connection_options options = fake_options(id);

	options.handle.connection_name = name;
	assert_int_equal(
		crossvm_connections_init(&fake.vms[vm], 0, &options, 1, &fake.pci, fake_alloc_irq),
		0);
}

static uint64_t total(unsigned int vm, unsigned int index)
{
	return fake_connection(vm, index)->device.status->total_events;
}

static void the_same_id_and_name_in_two_vms(void **state)
{
	(void)state;
	init(0, 5, "same");
	init(1, 5, "same");
	consume_connection_event(&fake.vms[1], 5, true);
	assert_int_equal(total(0, 0), 0);
	assert_int_equal(total(1, 0), 1);
	assert_ptr_equal(fake.interrupted, fake_connection(1, 0));
	crossvm_connections_destroy(&fake.vms[1]);
	consume_connection_event(&fake.vms[1], 5, true);
	consume_connection_event(&fake.vms[0], 5, true);
	assert_int_equal(total(0, 0), 1);
}

static void init_calls_add_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		init(0, 10 + i, NULL);
	for (unsigned int i = 0; i < 5; i++)
		consume_connection_event(&fake.vms[0], 10 + i, false);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(total(0, i), 1);
}

static void duplicates_are_found_across_calls(void **state)
{
	struct crossvm_connection_options options = fake_options(5);

	(void)state;
	init(0, 5, "one");
	assert_int_not_equal(fake_init_one(&options), 0);
	options.handle.consume_id = 6;
	options.handle.connection_name = "one";
	assert_int_not_equal(fake_init_one(&options), 0);
	options.handle.connection_name = "two";
	assert_int_equal(fake_init_one(&options), 0);
}

/* An x86 caller names no VM. */
static void without_a_vm_the_only_one_with_that_id_is_meant(void **state)
{
	(void)state;
	consume_connection_event(NULL, 5, true);
	init(0, 5, NULL);
	init(1, 5, NULL);
	init(2, 6, NULL);
	consume_connection_event(NULL, 6, true);
	assert_int_equal(total(2, 0), 1);
	consume_connection_event(NULL, 5, true);
	assert_int_equal(total(0, 0), 0);
	assert_int_equal(total(1, 0), 0);
	crossvm_connections_destroy(&fake.vms[0]);
	consume_connection_event(NULL, 5, true);
	assert_int_equal(total(1, 0), 1);
	assert_int_equal(fake.interrupts, 2);
}

static void the_limit_is_of_one_vm(void **state)
{
	struct crossvm_connection_options options[CROSSVM_MAX_CONNECTIONS + 1];

	(void)state;
	for (unsigned int i = 0; i < CROSSVM_MAX_CONNECTIONS + 1; i++)
		options[i] = fake_options(i);
	assert_int_not_equal(crossvm_connections_init(&fake.vms[0], 0, options,
						      CROSSVM_MAX_CONNECTIONS + 1, &fake.pci,
						      fake_alloc_same_irq),
			     0);
	assert_int_equal(fake.installed, 0);
	assert_int_equal(crossvm_connections_init(&fake.vms[0], 0, options, CROSSVM_MAX_CONNECTIONS,
						  &fake.pci, fake_alloc_same_irq),
			 0);
	assert_int_not_equal(crossvm_connections_init(&fake.vms[0], 0,
						      &options[CROSSVM_MAX_CONNECTIONS], 1,
						      &fake.pci, fake_alloc_same_irq),
			     0);
	assert_non_null(strstr(fake.error, "has 128 already"));
	init(1, 1, NULL);
	assert_int_equal(fake.installed, CROSSVM_MAX_CONNECTIONS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_id_and_name_in_two_vms, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(init_calls_add_up, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(duplicates_are_found_across_calls, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(without_a_vm_the_only_one_with_that_id_is_meant,
						fake_start, fake_end),
		cmocka_unit_test_setup_teardown(the_limit_is_of_one_vm, fake_start, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
