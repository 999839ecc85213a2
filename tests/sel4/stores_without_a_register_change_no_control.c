// SPDX-License-Identifier: BSD-2-Clause
/*
 * On x86 a store can have its value in the instruction, and libsel4vm then looks for it beyond a
 * table. A guest process must not bring the VMM there, whichever register it stores to.
 */
#include "guest.h"

static void nowhere_in_the_page(void **state)
{
	struct machine m;
	uintptr_t bar;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	bar = guest_bar(&m, 1, 0);
	fake_guest_store(m.vm, bar + CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN, 4);
	for (uintptr_t offset = 0; offset < 4096 - 3; offset++)
		fake_guest_store_immediate(m.vm, bar + offset, 0);
	assert_alive();
	assert_int_equal(fake_guest_load(m.vm, bar + CROSSVM_REG_CONTROL, 4), CROSSVM_CONTROL_OPEN);
	assert_int_equal(machine_emits, 4);
	assert_int_equal(fake_log_lines(), 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nowhere_in_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
