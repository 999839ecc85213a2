// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 13: offsets were masked with 0xff, so that registers repeated over the page, and what a
 * guest could cause was logged without limit.
 */
#include "guest.h"

static void only_register_0_emits(void **state)
{
	struct machine m;
	uintptr_t bar;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	bar = guest_bar(&m, 1, 0);
	for (uintptr_t offset = 4; offset < 8192; offset++)
		for (size_t bytes = 1; bytes <= 8; bytes *= 2)
			if (offset % bytes == 0)
				fake_guest_store(m.vm, bar + offset, UINT64_MAX, bytes);
	assert_int_equal(machine_emits, 0);
	for (size_t bytes = 1; bytes <= 8; bytes *= 2)
		fake_guest_store(m.vm, bar, 0, bytes);
	assert_int_equal(machine_emits, 4);
	assert_int_equal(fake_log_lines(), 0);
	machine_free(&m);
}

/* The value is not asked for where it does not matter: some stores have none in a register. */
static void immediate_stores_emit_and_acknowledge(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	fake_guest_store_immediate(m.vm, driver.registers + CROSSVM_REG_EMIT, 1);
	assert_int_equal(machine_emits, 1);
	consume_connection_event(m.vm, machine_id(0), true);
	fake_guest_store_immediate(m.vm, driver.registers + CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(fake_guest_load(m.vm, driver.registers + CROSSVM_REG_EVENT_COUNT, 4), 0);
	machine_free(&m);
}

static void the_extended_registers_are_there(void **state)
{
	struct machine m;
	uintptr_t bar;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{3, 12}}, irq_each);
	bar = guest_bar(&m, 1, 0);
	assert_int_equal(fake_guest_load(m.vm, bar + CROSSVM_REG_MAGIC, 4), CROSSVM_ABI_MAGIC);
	assert_int_equal(fake_guest_load(m.vm, bar + CROSSVM_REG_STATUS_OFFSET, 4),
			 CROSSVM_SINGLE_STATUS_OFFSET);
	assert_int_equal(fake_guest_load(m.vm, bar + CROSSVM_REG_DATAPORT_BYTES, 8), 3 * 4096);
	assert_int_equal(fake_guest_load(m.vm, bar + CROSSVM_SINGLE_STATUS_OFFSET, 4),
			 CROSSVM_ABI_MAGIC);
	fake_guest_store(m.vm, bar + CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN, 4);
	assert_int_equal(fake_guest_load(m.vm, bar + CROSSVM_REG_CONTROL, 4), CROSSVM_CONTROL_OPEN);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_register_0_emits),
		cmocka_unit_test(immediate_stores_emit_and_acknowledge),
		cmocka_unit_test(the_extended_registers_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
