// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 12: the VMM mapped the register page uncached and the guest cached, as libsel4vm and the
 * drivers do; on Arm the guest's count could then be stale.
 */
#include "guest.h"

static void the_vmms_and_the_guests(void **state)
{
	struct machine m;
	unsigned int pages = 0;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{2, 12}}, irq_each);
	for (const struct fake_mapping *p = m.vm->mem.vmm_vspace.mappings; p; p = p->next) {
		uintptr_t address = guest_bar(&m, 1, 0);
		const struct fake_mapping *guests;

		if (fake_frame_memory(p->cap) !=
		    fake_frame_memory(fake_mapping_at(&m.vm->mem.vm_vspace, address)->cap))
			address += CROSSVM_SINGLE_STATUS_OFFSET;
		guests = fake_mapping_at(&m.vm->mem.vm_vspace, address);
		assert_ptr_equal(fake_frame_memory(p->cap), fake_frame_memory(guests->cap));
		assert_int_equal(p->cacheable, guests->cacheable);
		pages++;
	}
	assert_int_equal(pages, 2);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_vmms_and_the_guests)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
