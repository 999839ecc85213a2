// SPDX-License-Identifier: BSD-2-Clause
/* Defect 11: 32 connections were allowed, 31 slots there, and the last was dropped with success. */
#include <string.h>

#include "guest.h"

#define SLOTS 31u

static crossvm_handle_t handles[MACHINE_CONNECTIONS];

static void make_handles(struct machine *m, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		handles[i] = machine_handle(m, (struct dataport){1, 12});
}

static int init(struct machine *m, unsigned int first, unsigned int count)
{
	return cross_vm_connections_init_common(m->vm, MACHINE_BASE + first * 0x10000,
						handles + first, (int)count, m->pci, irq_same);
}

static void all_slots(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	make_handles(&m, SLOTS);
	assert_int_equal(init(&m, 0, SLOTS), 0);
	for (unsigned int i = 0; i < SLOTS; i++) {
		struct guest_driver driver = guest_probe(&m, 1 + i, GUEST_DRIVER_OLD);

		consume_connection_event(m.vm, machine_id(i), true);
		assert_true(guest_handle(&driver));
	}
	machine_free(&m);
}

static void one_too_many(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	make_handles(&m, SLOTS + 1);
	assert_int_equal(init(&m, 0, SLOTS + 1), -1);
	assert_non_null(strstr(fake_log_take(), "slot"));
	for (unsigned int i = 1; i < 32; i++)
		assert_null(m.pci->bus0[i][0]);
	/* Nothing of the attempt is left. */
	assert_int_equal(init(&m, 0, SLOTS), 0);
	assert_int_equal(init(&m, SLOTS, 1), -1);
	assert_non_null(strstr(fake_log_take(), "slot"));
	fake_guest_store(m.vm, guest_bar(&m, SLOTS, 0), 1, 4);
	assert_int_equal(machine_emits, 1);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_slots),
		cmocka_unit_test(one_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
