// SPDX-License-Identifier: BSD-2-Clause
/*
 * The trap on the way to a fix of defect 1: an injection from the acknowledge callback takes the
 * list register that libsel4vm is about to give to the head of its overflow queue, and it aborts.
 * Neither may an interrupt that is put off for it be lost.
 */
#include "guest.h"

#define COUNT 8u

static void ours_and_others(void **state)
{
	struct guest_driver drivers[COUNT];
	struct dataport dataports[COUNT];
	uint64_t events = 0;
	struct machine m;
	int irq;

	(void)state;
	for (unsigned int i = 0; i < COUNT; i++)
		dataports[i] = (struct dataport){1, 12};
	machine_make(&m);
	machine_connect(&m, COUNT, dataports, irq_each);
	for (unsigned int i = 0; i < COUNT; i++) {
		drivers[i] = guest_probe(&m, 1 + i, GUEST_DRIVER_OURS);
		fake_irq_enable(m.vm, drivers[i].irq);
	}
	/* Eight of ours and six others for four list registers. */
	for (unsigned int i = 0; i < COUNT; i++)
		consume_connection_event(m.vm, machine_id(i), true);
	for (int i = 200; i < 206; i++)
		fake_irq_other(m.vm, i);
	while ((irq = fake_irq_take(m.vm)) >= 0) {
		unsigned int n = (unsigned int)(irq - fake_first_irq);

		if (n < COUNT) {
			assert_true(guest_handle(&drivers[n]));
			/* Between clear and EOI, once each. */
			if (drivers[n].events == 1)
				consume_connection_event(m.vm, machine_id(n), true);
		}
		fake_irq_eoi(m.vm, irq);
		assert_alive();
	}
	for (unsigned int i = 0; i < COUNT; i++)
		events += drivers[i].events;
	assert_int_equal(events, 2 * COUNT);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ours_and_others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
