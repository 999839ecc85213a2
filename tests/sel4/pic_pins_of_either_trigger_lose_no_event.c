// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defects 1, 2 and 5 as they look on x86. Linux masks a pin and says EOI before it calls the handler,
 * and unmasks it after. The guest chooses whether a pin looks at edges or levels, and resets the
 * interrupt controller as it boots.
 */
#include <sel4vm/guest_irq_controller.h>

#include "guest.h"

/* Linux: handle_level_irq() on the i8259. Returns how many interrupts it took. */
static unsigned int linux_run(struct guest_driver *driver, void (*between)(struct machine *m))
{
	vm_t *vm = driver->m->vm;
	unsigned int taken = 0;
	int irq;

	while ((irq = fake_irq_take(vm)) >= 0) {
		fake_irq_disable(vm, irq);
		fake_irq_eoi(vm, irq);
		guest_handle(driver);
		if (between)
			between(driver->m);
		between = NULL;
		fake_irq_enable(vm, irq);
		assert_true(++taken < 100);
	}
	return taken;
}

static void one_more(struct machine *m)
{
	consume_connection_event(m->vm, machine_id(0), true);
}

static void set_up(struct machine *m, struct guest_driver *driver, bool level)
{
	machine_make(m);
	machine_connect(m, 1, (struct dataport[]){{1, 12}}, irq_each);
	*driver = guest_probe(m, 1, GUEST_DRIVER_OLD);
	if (level)
		fake_pic_look_at_level(m->vm, driver->irq);
	fake_irq_enable(m->vm, driver->irq);
}

static void each_event_arrives(bool level)
{
	struct guest_driver driver;
	struct machine m;

	set_up(&m, &driver, level);
	for (unsigned int i = 0; i < 10; i++) {
		one_more(&m);
		linux_run(&driver, one_more);
		assert_int_equal(driver.events, 2 * (i + 1));
	}
	/* On a pin that looks at levels none comes for nothing; on another, one after each. */
	if (level)
		assert_int_equal(driver.unhandled, 0);
	else
		assert_true(driver.unhandled <= driver.handled);
	machine_free(&m);
}

static void pins_that_look_at_edges(void **state)
{
	(void)state;
	each_event_arrives(false);
}

static void pins_that_look_at_levels(void **state)
{
	(void)state;
	each_event_arrives(true);
}

static void an_event_before_the_reset(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	set_up(&m, &driver, false);
	one_more(&m);
	fake_pic_reset(m.vm);
	assert_int_equal(fake_irq_take(m.vm), -1);
	fake_irq_enable(m.vm, driver.irq);
	linux_run(&driver, NULL);
	assert_int_equal(driver.events, 1);
	machine_free(&m);
}

/* Linux disables a pin when an interrupt comes, and not before. */
static void an_event_while_disabled(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	set_up(&m, &driver, false);
	one_more(&m);
	assert_int_equal(fake_irq_take(m.vm), driver.irq);
	fake_irq_disable(m.vm, driver.irq);
	fake_irq_eoi(m.vm, driver.irq);
	fake_irq_enable(m.vm, driver.irq);
	linux_run(&driver, NULL);
	assert_int_equal(driver.events, 1);
	machine_free(&m);
}

/* CAmkES VMs raise the interrupt themselves, with a pulse. */
static void callers_who_raise_it_themselves(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	set_up(&m, &driver, false);
	for (unsigned int i = 0; i < 10; i++) {
		consume_connection_event(m.vm, machine_id(0), false);
		vm_inject_irq(m.vm->vcpus[0], driver.irq);
		linux_run(&driver, i % 2 ? one_more : NULL);
	}
	assert_int_equal(driver.events, 15);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pins_that_look_at_edges),
		cmocka_unit_test(pins_that_look_at_levels),
		cmocka_unit_test(an_event_before_the_reset),
		cmocka_unit_test(an_event_while_disabled),
		cmocka_unit_test(callers_who_raise_it_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
