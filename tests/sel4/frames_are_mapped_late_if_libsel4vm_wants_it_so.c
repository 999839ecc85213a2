// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 15: one of libsel4vm's options maps at the guest's first access, long after init has
 * returned, and vm_map_reservation_frames() keeps a cookie on its stack.
 */
#include "guest.h"

static void set_up(struct machine *m)
{
	fake_defer_mappings(true);
	machine_make(m);
	machine_connect(m, 2, (struct dataport[]){{3, 12}, {1, 21}}, irq_each);
}

static void at_the_first_access(void **state)
{
	struct machine m;

	(void)state;
	set_up(&m);
	fake_guest_store(m.vm, guest_bar(&m, 1, 1) + 0x2000, 3, 4);
	assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[0].frames[2]), 3);
	fake_guest_store(m.vm, guest_bar(&m, 2, 1) + 0x2000, 3, 4);
	fake_guest_store(m.vm, guest_bar(&m, 1, 0), 1, 4);
	assert_int_equal(machine_emits, 1);
	machine_free(&m);
	fake_defer_mappings(false);
}

static void or_never(void **state)
{
	struct machine m;

	(void)state;
	set_up(&m);
	guest_assign(&m, 2, MACHINE_BASE + 0x400000);
	machine_free(&m);
	fake_defer_mappings(false);
}

/* What the guest's access finds no memory for ends the VM, but its frames are given back. */
static void or_in_part(void **state)
{
	(void)state;
	for (int failing = 0; failing < 6; failing++) {
		struct machine m;

		set_up(&m);
		(void)fake_fail_allocation(failing);
		fake_guest_store(m.vm, guest_bar(&m, 1, 1) + 0x1000, 3, 4);
		(void)fake_fail_allocation(-1);
		assert_non_null(fake_death());
		crossvm_connections_destroy(m.vm);
		assert_int_equal(fake_usage.mappings, m.before.mappings);
		machine_free(&m);
	}
	fake_defer_mappings(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_the_first_access),
		cmocka_unit_test(or_never),
		cmocka_unit_test(or_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
