// SPDX-License-Identifier: BSD-2-Clause
/* Rights are the mapping's: a guest that stores all the same goes on, and changes nothing. */
#include "guest.h"

static void stores_are_ignored(void **state)
{
	struct crossvm_connection_options options = {.access = CROSSVM_ACCESS_READ};
	uint32_t *memory;
	struct machine m;
	uintptr_t bar;

	(void)state;
	machine_make(&m);
	options.handle = machine_handle(&m, (struct dataport){3, 12});
	assert_int_equal(crossvm_connections_init(m.vm, MACHINE_BASE, &options, 1, m.pci, irq_each),
			 0);
	bar = guest_bar(&m, 1, 1);
	memory = fake_frame_memory(m.dataports[0].frames[1]);
	*memory = 5;
	assert_int_equal(fake_guest_load(m.vm, bar + 0x1000, 4), 5);
	for (unsigned int i = 0; i < 1000; i++)
		fake_guest_store(m.vm, bar + 0x1000, 6, 4);
	assert_int_equal(*memory, 5);
	assert_int_equal(fake_log_lines(), 1);
	/* Behind it there is nothing to protect, so nothing traps. */
	fake_guest_store_pair(m.vm, bar + 0x3000, 6);
	assert_alive();
	assert_int_equal(fake_guest_load(m.vm, guest_bar(&m, 1, 0) + CROSSVM_REG_ACCESS, 4),
			 CROSSVM_ACCESS_READ);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(stores_are_ignored)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
