// SPDX-License-Identifier: BSD-2-Clause
/* Defect 19: emit_fn has no context. And an emit is one fault, an event none but its clear. */
#include "guest.h"

static void emit(void *context)
{
	unsigned int *emitted = context;

	(*emitted)++;
}

static void context_is_passed(void **state)
{
	static const struct crossvm_connection_callbacks callbacks = {.emit = emit};
	struct crossvm_connection_options options[2] = {{.callbacks = &callbacks},
							{.callbacks = &callbacks}};
	unsigned int emitted[2] = {0, 0};
	struct machine m;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < 2; i++) {
		options[i].handle = machine_handle(&m, (struct dataport){0, 0});
		options[i].context = &emitted[i];
	}
	assert_int_equal(crossvm_connections_init(m.vm, MACHINE_BASE, options, 2, m.pci, irq_each),
			 0);
	fake_guest_store(m.vm, guest_bar(&m, 2, 0), 1, 4);
	assert_int_equal(emitted[0], 0);
	assert_int_equal(emitted[1], 1);
	assert_int_equal(machine_emits, 0);
	machine_free(&m);
}

static void faults_are_few(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OURS);
	fake_irq_enable(m.vm, driver.irq);
	(void)fake_faults();
	fake_guest_store(m.vm, driver.registers + CROSSVM_REG_EMIT, 1, 4);
	assert_int_equal(fake_faults(), 1);
	consume_connection_event(m.vm, machine_id(0), true);
	guest_run(&driver, 1);
	assert_int_equal(fake_faults(), 1);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_is_passed),
		cmocka_unit_test(faults_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
