// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 5: one interrupt served all connections, and coalesced ones found nothing to do, for which
 * Linux in the end disables the line.
 */
#include "guest.h"

static const struct dataport dataports[] = {{1, 12}, {1, 12}, {1, 12}};

static void own_lines(void **state)
{
	struct guest_driver drivers[3];
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 3, dataports, irq_each);
	for (unsigned int i = 0; i < 3; i++) {
		drivers[i] = guest_probe(&m, 1 + i, GUEST_DRIVER_OLD);
		assert_int_equal(drivers[i].irq, fake_first_irq + (int)i);
		fake_irq_enable(m.vm, drivers[i].irq);
	}
	consume_connection_event(m.vm, machine_id(1), true);
	guest_run(drivers, 3);
	assert_int_equal(drivers[0].handled + drivers[0].unhandled, 0);
	assert_int_equal(drivers[1].events, 1);
	assert_int_equal(drivers[2].handled + drivers[2].unhandled, 0);
	machine_free(&m);
}

/* Every interrupt of a shared line has something for somebody, whatever the order of things. */
static void shared_line(void **state)
{
	struct guest_driver drivers[3];
	struct machine m;
	int irq;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 3, dataports, irq_same);
	for (unsigned int i = 0; i < 3; i++)
		drivers[i] = guest_probe(&m, 1 + i, GUEST_DRIVER_OURS);
	fake_irq_enable(m.vm, drivers[0].irq);
	for (unsigned int round = 0; round < 100; round++) {
		consume_connection_event(m.vm, machine_id(round % 3), true);
		irq = fake_irq_take(m.vm);
		assert_int_equal(irq, fake_first_irq);
		guest_handle(&drivers[0]);
		guest_handle(&drivers[1]);
		guest_handle(&drivers[2]);
		assert_int_equal(drivers[0].handled + drivers[1].handled + drivers[2].handled,
				 2 * round + 1);
		/* After its driver has looked, before the EOI. */
		consume_connection_event(m.vm, machine_id((round + 1) % 3), true);
		fake_irq_eoi(m.vm, irq);
		irq = fake_irq_take(m.vm);
		assert_int_equal(irq, fake_first_irq);
		assert_true(guest_handle(&drivers[(round + 1) % 3]));
		fake_irq_eoi(m.vm, irq);
		assert_int_equal(fake_irq_take(m.vm), -1);
	}
	assert_int_equal(drivers[0].events + drivers[1].events + drivers[2].events, 200);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_lines),
		cmocka_unit_test(shared_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
