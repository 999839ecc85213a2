// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 16: all VMs shared one state, a second init overwrote the first, and the VM that an event
 * was for did not count.
 */
#include "guest.h"

#define VMS 3u

static uint64_t shown(struct machine *m, unsigned int slot)
{
	return fake_guest_load(m->vm, guest_bar(m, slot, 0) + CROSSVM_REG_EVENT_COUNT, 4);
}

static void same_ids_in_several_vms(void **state)
{
	struct machine m[VMS];

	(void)state;
	for (unsigned int i = 0; i < VMS; i++) {
		machine_make(&m[i]);
		machine_connect(&m[i], 2, (struct dataport[]){{1, 12}, {1, 12}}, irq_each);
	}
	consume_connection_event(m[1].vm, machine_id(1), true);
	for (unsigned int i = 0; i < VMS; i++) {
		assert_int_equal(shown(&m[i], 1), 0);
		assert_int_equal(shown(&m[i], 2), i == 1);
	}
	/* Nobody can say whose event this is. */
	consume_connection_event(NULL, machine_id(0), false);
	for (unsigned int i = 0; i < VMS; i++)
		assert_int_equal(shown(&m[i], 1), 0);
	for (unsigned int i = VMS; i-- > 0;)
		machine_free(&m[i]);
}

static void several_inits(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < 3; i++) {
		crossvm_handle_t handle = machine_handle(&m, (struct dataport){1 + (int)i, 12});

		assert_int_equal(cross_vm_connections_init_common(m.vm, MACHINE_BASE + i * 0x100000,
								  &handle, 1, m.pci, irq_each),
				 0);
	}
	for (unsigned int i = 0; i < 3; i++)
		consume_connection_event(m.vm, machine_id(i), true);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(shown(&m, 1 + i), 1);
	machine_free(&m);
}

/* One caller passes no VM: there is no doubt as long as one VM only has the id. */
static void no_vm_given(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	consume_connection_event(NULL, machine_id(0), false);
	assert_int_equal(shown(&m, 1), 1);
	consume_connection_event(m.vm, 12345, true);
	consume_connection_event(NULL, 12345, true);
	assert_int_equal(shown(&m, 1), 1);
	machine_free(&m);
	consume_connection_event(NULL, machine_id(0), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_ids_in_several_vms),
		cmocka_unit_test(several_inits),
		cmocka_unit_test(no_vm_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
