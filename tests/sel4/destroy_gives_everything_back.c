// SPDX-License-Identifier: BSD-2-Clause
/* Defect 17: there was no teardown. */
#include "guest.h"

static const struct dataport dataports[] = {{3, 12}, {1, 21}, {0, 0}, {16, 12}};

static void again_and_again(void **state)
{
	crossvm_handle_t handles[4];
	struct fake_usage before;
	struct machine m;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < 4; i++)
		handles[i] = machine_handle(&m, dataports[i]);
	for (unsigned int round = 0; round < 10; round++) {
		if (round == 1)
			before = fake_usage;
		assert_int_equal(cross_vm_connections_init_common(m.vm, MACHINE_BASE, handles, 4,
								  m.pci, irq_same),
				 0);
		guest_assign(&m, 4, MACHINE_BASE + 0x400000);
		consume_connection_event(m.vm, machine_id(round % 4), true);
		crossvm_connections_destroy(m.vm);
		for (unsigned int slot = 1; slot < 32; slot++)
			assert_null(m.pci->bus0[slot][0]);
		consume_connection_event(m.vm, machine_id(0), true);
	}
	assert_memory_equal(&fake_usage, &before, sizeof(before));
	machine_free(&m);
}

/* The frames stay the caller's: they are there, and can be mapped by another. */
static void frames_stay(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{3, 12}}, irq_each);
	fake_guest_store(m.vm, guest_bar(&m, 1, 1), 42, 4);
	crossvm_connections_destroy(m.vm);
	assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[0].frames[0]), 42);
	machine_free(&m);
}

/* The guest still has the interrupt enabled, and another's EOI comes by. */
static void interrupts_after_it(void **state)
{
	struct guest_driver driver;
	struct machine m;
	int irq;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	fake_irq_enable(m.vm, driver.irq);
	consume_connection_event(m.vm, machine_id(0), true);
	irq = fake_irq_take(m.vm);
	assert_int_equal(irq, driver.irq);
	crossvm_connections_destroy(m.vm);
	fake_irq_eoi(m.vm, irq);
	fake_irq_enable(m.vm, irq);
	assert_int_equal(fake_irq_take(m.vm), -1);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(again_and_again),
		cmocka_unit_test(frames_stay),
		cmocka_unit_test(interrupts_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
