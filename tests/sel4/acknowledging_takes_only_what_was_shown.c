// SPDX-License-Identifier: BSD-2-Clause
/* Defect 3: what came between the guest's read of the count and its write of 0 was forgotten. */
#include "guest.h"

static void event_between_read_and_write(void **state)
{
	struct guest_driver driver;
	struct machine m;
	uintptr_t count;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	count = driver.registers + CROSSVM_REG_EVENT_COUNT;
	consume_connection_event(m.vm, machine_id(0), true);
	assert_int_equal(fake_guest_load(m.vm, count, 4), 1);
	for (unsigned int i = 0; i < 4; i++)
		consume_connection_event(m.vm, machine_id(0), true);
	fake_guest_store(m.vm, count, 0, 4);
	assert_int_equal(fake_guest_load(m.vm, count, 4), 4);
	fake_guest_store(m.vm, count, 0, 4);
	assert_int_equal(fake_guest_load(m.vm, count, 4), 0);
	machine_free(&m);
}

/* The guest cannot store a count of its own. */
static void any_value_acknowledges(void **state)
{
	struct guest_driver driver;
	struct machine m;
	uintptr_t count;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	count = driver.registers + CROSSVM_REG_EVENT_COUNT;
	fake_guest_store(m.vm, count, 1000, 4);
	assert_int_equal(fake_guest_load(m.vm, count, 4), 0);
	consume_connection_event(m.vm, machine_id(0), true);
	fake_guest_store(m.vm, count, UINT32_MAX, 4);
	assert_int_equal(fake_guest_load(m.vm, count, 4), 0);
	machine_free(&m);
}

/* 2^32 events look like none in 32 bits: the count stops below, and the rest comes after. */
static void count_does_not_wrap(void **state)
{
	struct guest_driver driver;
	struct machine m;
	uintptr_t count;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	count = driver.registers + CROSSVM_REG_EVENT_COUNT;
	crossvm_consume_total(m.vm, machine_id(0), 1ull << 32, true);
	assert_int_equal(fake_guest_load(m.vm, count, 4), UINT32_MAX);
	fake_guest_store(m.vm, count, 0, 4);
	assert_int_equal(fake_guest_load(m.vm, count, 4), 1);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_between_read_and_write),
		cmocka_unit_test(any_value_acknowledges),
		cmocka_unit_test(count_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
