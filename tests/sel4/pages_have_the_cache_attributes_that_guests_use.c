// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 12: guests map BAR0 as device memory, so on Arm what the VMM writes to it must not stay in
 * a cache.
 */
#include "guest.h"

static void the_vmm_maps_bar0_uncached(void **state)
{
	struct machine m;
	unsigned int pages = 0;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{2, 12}}, irq_each);
	for (const struct fake_mapping *p = m.vm->mem.vmm_vspace.mappings; p; p = p->next) {
		assert_false(p->cacheable);
		pages++;
	}
	assert_int_equal(pages, 2);
	machine_free(&m);
}

/* The dataport is ordinary memory for everybody. */
static void the_guest_maps_the_dataport_cached(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{2, 12}}, irq_each);
	assert_true(fake_mapping_at(&m.vm->mem.vm_vspace, guest_bar(&m, 1, 1))->cacheable);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vmm_maps_bar0_uncached),
		cmocka_unit_test(the_guest_maps_the_dataport_cached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
