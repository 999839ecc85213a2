// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmm/fake.h"

#include <errno.h>

static uint64_t total(unsigned int index)
{
	return fake_connection(0, index)->device.status->total_events;
}

/* Ids as they come in practice, and such as are far apart, near the ends, or alike in some bits. */
static seL4_Word id_of(unsigned int i)
{
	switch (i % 4) {
	case 0:
		return i;
	case 1:
		return (seL4_Word)i << 32;
	case 2:
		return (seL4_Word)-2 - i;
	default:
		return (seL4_Word)i * 0x10001;
	}
}

static void of_as_many_as_there_can_be(void **state)
{
	struct crossvm_connection_options options[CROSSVM_MAX_CONNECTIONS];

	(void)state;
	for (unsigned int i = 0; i < CROSSVM_MAX_CONNECTIONS; i++)
		options[i] = fake_options(id_of(i));
	assert_int_equal(crossvm_connections_init(&fake.vms[0], 0, options, CROSSVM_MAX_CONNECTIONS,
						  &fake.pci, fake_alloc_same_irq),
			 0);
	for (unsigned int i = 0; i < CROSSVM_MAX_CONNECTIONS; i++) {
		for (unsigned int n = 0; n <= i; n++)
			consume_connection_event(&fake.vms[0], id_of(i), true);
		assert_ptr_equal(fake.interrupted, fake_connection(0, i));
	}
	for (unsigned int i = 0; i < CROSSVM_MAX_CONNECTIONS; i++)
		assert_int_equal(total(i), i + 1);
	/* Neighbours of known ids are unknown. */
	fake.interrupts = 0;
	consume_connection_event(&fake.vms[0], 0x12345678, true);
	consume_connection_event(&fake.vms[0], id_of(1) + 1, true);
	assert_int_equal(fake.interrupts, 0);
}

static void who_has_no_events_gets_none(void **state)
{
	struct crossvm_connection_options options[3] = {
		fake_options((seL4_Word)-1), fake_options((seL4_Word)-1),
		fake_options((unsigned int)-1) /* widened */};

	(void)state;
	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, options, 3, &fake.pci, fake_alloc_irq),
		0);
	consume_connection_event(&fake.vms[0], (seL4_Word)-1, true);
	consume_connection_event(&fake.vms[0], (unsigned int)-1, true);
	crossvm_consume_total(&fake.vms[0], (seL4_Word)-1, 5, true);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(total(i), 0);
	assert_int_equal(fake.interrupts, 0);
	assert_int_equal(crossvm_peer_set(&fake.vms[0], (seL4_Word)-1, 0, NULL,
					  (struct crossvm_peer_status){0, 0}),
			 -ENOENT);
}

/* Callers on x86 raise the interrupt themselves. */
static void without_inject_irq_it_is_only_counted(void **state)
{
	struct crossvm_connection_options options = fake_options(1);
	struct crossvm_vmm_connection *c;

	(void)state;
	assert_int_equal(fake_init_one(&options), 0);
	c = fake_connection(0, 0);
	consume_connection_event(&fake.vms[0], 1, false);
	crossvm_consume_total(&fake.vms[0], 1, 4, false);
	assert_int_equal(total(0), 4);
	assert_true(crossvm_device_pending(&c->device));
	assert_int_equal(fake.interrupts, 0);
}

static void a_total_interrupts_once(void **state)
{
	struct crossvm_connection_options options = fake_options(1);

	(void)state;
	assert_int_equal(fake_init_one(&options), 0);
	crossvm_consume_total(&fake.vms[0], 1, 3, true);
	crossvm_consume_total(&fake.vms[0], 1, 3, true);
	crossvm_consume_total(&fake.vms[0], 1, 2, true);
	assert_int_equal(fake.interrupts, 1);
	assert_int_equal(total(0), 3);
}

static void a_vm_without_connections_has_no_events(void **state)
{
	(void)state;
	consume_connection_event(&fake.vms[0], 1, true);
	crossvm_consume_total(&fake.vms[0], 1, 1, true);
	assert_int_equal(fake.interrupts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_as_many_as_there_can_be, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(who_has_no_events_gets_none, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(without_inject_irq_it_is_only_counted, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(a_total_interrupts_once, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(a_vm_without_connections_has_no_events, fake_start,
						fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
