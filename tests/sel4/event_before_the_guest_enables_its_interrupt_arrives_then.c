// SPDX-License-Identifier: BSD-2-Clause
/* Defect 2: events before the driver has enabled its interrupt were dropped and never replayed. */
#include "guest.h"

static void before_the_first_enable(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	for (unsigned int i = 0; i < 3; i++)
		consume_connection_event(m.vm, machine_id(0), true);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	assert_int_equal(fake_irq_take(m.vm), -1);
	fake_irq_enable(m.vm, driver.irq);
	guest_run(&driver, 1);
	assert_int_equal(driver.events, 3);
	assert_int_equal(driver.unhandled, 0);
	machine_free(&m);
}

static void while_disabled_in_between(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OURS);
	fake_irq_enable(m.vm, driver.irq);
	consume_connection_event(m.vm, machine_id(0), true);
	guest_run(&driver, 1);
	fake_irq_disable(m.vm, driver.irq);
	consume_connection_event(m.vm, machine_id(0), true);
	assert_int_equal(fake_irq_take(m.vm), -1);
	fake_irq_enable(m.vm, driver.irq);
	guest_run(&driver, 1);
	assert_int_equal(driver.events, 2);
	machine_free(&m);
}

/* The other way to disable it: bit 10 of COMMAND. */
static void while_intx_is_disabled(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	fake_irq_enable(m.vm, driver.irq);
	fake_config_write(m.pci, 1, 0x04, 2, 0x402);
	consume_connection_event(m.vm, machine_id(0), true);
	assert_int_equal(fake_irq_take(m.vm), -1);
	fake_config_write(m.pci, 1, 0x04, 2, 0x002);
	guest_run(&driver, 1);
	assert_int_equal(driver.events, 1);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_first_enable),
		cmocka_unit_test(while_disabled_in_between),
		cmocka_unit_test(while_intx_is_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
