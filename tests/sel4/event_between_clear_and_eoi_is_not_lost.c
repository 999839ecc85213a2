// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 1: the virtual GIC drops an injection until the guest's EOI, so what came between the
 * handler's clear and the EOI never woke the guest.
 */
#include "guest.h"

static void run(enum guest_driver_kind kind)
{
	struct guest_driver driver;
	struct machine m;
	int irq;

	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, kind);
	fake_irq_enable(m.vm, driver.irq);
	for (unsigned int i = 0; i < 50; i++) {
		consume_connection_event(m.vm, machine_id(0), true);
		irq = fake_irq_take(m.vm);
		assert_int_equal(irq, driver.irq);
		assert_true(guest_handle(&driver));
		consume_connection_event(m.vm, machine_id(0), true);
		fake_irq_eoi(m.vm, irq);
		assert_true(guest_run(&driver, 1) > 0);
		assert_int_equal(driver.events, 2 * (i + 1));
	}
	assert_int_equal(driver.unhandled, 0);
	machine_free(&m);
}

static void old_driver(void **state)
{
	(void)state;
	run(GUEST_DRIVER_OLD);
}

static void our_driver(void **state)
{
	(void)state;
	run(GUEST_DRIVER_OURS);
}

/* A caller that raises the interrupt itself does so before the clear, and we raise the rest. */
static void caller_injects(void **state)
{
	struct guest_driver driver;
	struct machine m;
	int irq;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	fake_irq_enable(m.vm, driver.irq);
	consume_connection_event(m.vm, machine_id(0), false);
	assert_int_equal(fake_irq_take(m.vm), -1);
	fake_irq_other(m.vm, driver.irq);
	irq = fake_irq_take(m.vm);
	consume_connection_event(m.vm, machine_id(0), false);
	assert_true(guest_handle(&driver));
	fake_irq_eoi(m.vm, irq);
	assert_true(guest_run(&driver, 1) > 0);
	assert_int_equal(driver.events, 2);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_driver),
		cmocka_unit_test(our_driver),
		cmocka_unit_test(caller_injects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
