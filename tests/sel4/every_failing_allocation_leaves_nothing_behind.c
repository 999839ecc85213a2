// SPDX-License-Identifier: BSD-2-Clause
/* Defect 17: every error path leaked. Here each allocation of an init fails in turn. */
#include <string.h>

#include "guest.h"

static const struct dataport dataports[] = {{3, 12}, {1, 21}, {0, 0}};

#define COUNT 3

static void each_in_turn(void **state)
{
	crossvm_handle_t handles[COUNT];
	struct fake_usage before;
	struct machine m;
	int failing;
	int result;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < COUNT; i++)
		handles[i] = machine_handle(&m, dataports[i]);
	/* The VM's record is made once and stays. */
	assert_int_equal(cross_vm_connections_init_common(m.vm, MACHINE_BASE, handles, COUNT, m.pci,
							  irq_same),
			 0);
	crossvm_connections_destroy(m.vm);
	before = fake_usage;
	for (failing = 0;; failing++) {
		(void)fake_fail_allocation(failing);
		result = cross_vm_connections_init_common(m.vm, MACHINE_BASE, handles, COUNT, m.pci,
							  irq_same);
		if ((int)fake_fail_allocation(-1) <= failing)
			break;
		assert_int_equal(result, -1);
		assert_memory_equal(&fake_usage, &before, sizeof(before));
		assert_true(strlen(fake_log_take()) > 0);
		assert_alive();
		for (unsigned int slot = 1; slot < 32; slot++)
			assert_null(m.pci->bus0[slot][0]);
	}
	assert_int_equal(result, 0);
	assert_true(failing > 40);
	machine_free(&m);
}

/* The guest moves BARs while there is no memory: it loses them until it moves them again. */
static void while_the_guest_moves_bars(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, COUNT, dataports, irq_each);
	for (int failing = 0; failing < 20; failing++) {
		(void)fake_fail_allocation(failing);
		guest_assign(&m, COUNT, MACHINE_BASE + (failing % 2 ? 0 : 0x800000));
		(void)fake_fail_allocation(-1);
		guest_assign(&m, COUNT, MACHINE_BASE + 0x400000);
		fake_guest_store(m.vm, guest_bar(&m, 1, 1) + 0x2000, 7, 4);
		fake_guest_store(m.vm, guest_bar(&m, 2, 1), 7, 4);
		fake_guest_store(m.vm, guest_bar(&m, 3, 0), 7, 4);
		assert_alive();
	}
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_in_turn),
		cmocka_unit_test(while_the_guest_moves_bars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
