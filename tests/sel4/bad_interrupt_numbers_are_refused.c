// SPDX-License-Identifier: BSD-2-Clause
/* Defect 6: any interrupt number was taken, and the first event then aborted the VMM. */
#include <string.h>

#include "machine.h"

static int number;

static int bad_irq(void)
{
	return number;
}

static void init_fails(void **state)
{
	const int bad[] = {-1, -1000, 0, 256, 1020, INT32_MAX};
	crossvm_handle_t handle;
	struct machine m;

	(void)state;
	machine_make(&m);
	handle = machine_handle(&m, (struct dataport){1, 12});
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		number = bad[i];
		assert_int_equal(cross_vm_connections_init_common(m.vm, MACHINE_BASE, &handle, 1,
								  m.pci, bad_irq),
				 -1);
		assert_non_null(strstr(fake_log_take(), "c0"));
		consume_connection_event(m.vm, machine_id(0), true);
		assert_null(m.pci->bus0[1][0]);
	}
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(init_fails)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
