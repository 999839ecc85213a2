// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defects 14 and 18: senseless handles were undefined behaviour, names could lack their NUL, the
 * caller's handle was written to. Both spellings of a dataport's size are understood, and both
 * forms of 'no events'.
 */
#include <string.h>

#include "guest.h"

static int init(struct machine *m, crossvm_handle_t *handle)
{
	return cross_vm_connections_init_common(m->vm, MACHINE_BASE, handle, 1, m->pci, irq_same);
}

static void nothing_of_the_callers_is_kept(void **state)
{
	crossvm_dataport_handle_t dataport;
	struct guest_driver driver;
	crossvm_handle_t handle;
	crossvm_handle_t before;
	char name[] = "telemetry";
	seL4_CPtr frame;
	struct machine m;

	(void)state;
	machine_make(&m);
	handle = machine_handle(&m, (struct dataport){1, 12});
	frame = m.dataports[0].frames[0];
	dataport = *handle.dataport;
	dataport.frames = &frame;
	handle.dataport = &dataport;
	handle.connection_name = name;
	before = handle;
	assert_int_equal(init(&m, &handle), 0);
	assert_memory_equal(&handle, &before, sizeof(handle));
	memset(&handle, 0xa5, sizeof(handle));
	memset(&dataport, 0xa5, sizeof(dataport));
	memset(name, 'x', sizeof(name));
	frame = 0;
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	assert_int_equal(fake_guest_load(m.vm, driver.registers + CROSSVM_REG_NAME, 4), 0x656c6574);
	guest_assign(&m, 1, MACHINE_BASE + 0x100000);
	fake_guest_store(m.vm, guest_bar(&m, 1, 0), 1, 4);
	assert_int_equal(machine_emits, 1);
	machine_free(&m);
}

static void both_spellings_of_the_size(void **state)
{
	crossvm_handle_t handle;
	struct machine m;

	(void)state;
	machine_make(&m);
	handle = machine_handle(&m, (struct dataport){3, 12});
	assert_int_equal(init(&m, &handle), 0);
	assert_int_equal(guest_bar_bytes(&m, 1, 1), 0x4000);
	crossvm_connections_destroy(m.vm);
	handle.dataport->size = 0x3000;
	assert_int_equal(init(&m, &handle), 0);
	assert_int_equal(guest_bar_bytes(&m, 1, 1), 0x4000);
	machine_free(&m);
}

static void no_events(void **state)
{
	const seL4_Word none[] = {(seL4_Word)-1, (unsigned int)-1};
	struct machine m;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		crossvm_handle_t handle;

		machine_make(&m);
		handle = machine_handle(&m, (struct dataport){1, 12});
		handle.consume_id = none[i];
		handle.emit_fn = NULL;
		assert_int_equal(init(&m, &handle), 0);
		consume_connection_event(m.vm, none[i], true);
		fake_guest_store(m.vm, guest_bar(&m, 1, 0), 1, 4);
		assert_int_equal(fake_guest_load(m.vm, guest_bar(&m, 1, 0) + 4, 4), 0);
		machine_free(&m);
	}
}

/* Defect 18: all that had no name were called "connector". */
static void names_of_those_without(void **state)
{
	crossvm_handle_t handles[2];
	struct machine m;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < 2; i++) {
		handles[i] = machine_handle(&m, (struct dataport){1, 12});
		handles[i].connection_name = NULL;
	}
	assert_int_equal(
		cross_vm_connections_init_common(m.vm, MACHINE_BASE, handles, 2, m.pci, irq_each),
		0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(
			fake_guest_load(m.vm, guest_bar(&m, 1 + i, 0) + CROSSVM_REG_NAME + 11, 2),
			'0' + i);
	machine_free(&m);
}

static void is_refused(crossvm_dataport_handle_t dataport, const char *name, const char *why)
{
	crossvm_handle_t handle = {.dataport = &dataport, .consume_id = 1, .connection_name = name};
	struct machine m;

	machine_make(&m);
	assert_int_equal(init(&m, &handle), -1);
	assert_non_null(strstr(fake_log_take(), why));
	machine_free(&m);
}

static void senseless_ones_are_refused(void **state)
{
	seL4_CPtr frames[3] = {0};
	char long_name[60] = "";

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	is_refused((crossvm_dataport_handle_t){{4096}, 0, frames}, "a", "has 0 frames");
	is_refused((crossvm_dataport_handle_t){{4096}, -1, frames}, "a", "has -1 frames");
	is_refused((crossvm_dataport_handle_t){{4096}, 1, NULL}, "a", "has 1 frames at");
	is_refused((crossvm_dataport_handle_t){{4096}, 1, frames}, "a", "is no capability");
	is_refused((crossvm_dataport_handle_t){{4096}, 3, frames}, "a", "does not divide");
	is_refused((crossvm_dataport_handle_t){{0}, 1, frames}, "a", "size is 0");
	is_refused((crossvm_dataport_handle_t){{13}, 1, frames}, "a", "seL4 has none");
	is_refused((crossvm_dataport_handle_t){{4096}, 1, frames}, long_name, "longer than 47");
	is_refused((crossvm_dataport_handle_t){{4096}, 1, frames}, "", "is empty");
}

/* The same id would get the first one all events; the same name would open either. */
static void duplicates_are_refused(void **state)
{
	crossvm_handle_t handles[2];
	struct machine m;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < 2; i++)
		handles[i] = machine_handle(&m, (struct dataport){1, 12});
	handles[1].consume_id = handles[0].consume_id;
	assert_int_equal(
		cross_vm_connections_init_common(m.vm, MACHINE_BASE, handles, 2, m.pci, irq_each),
		-1);
	assert_non_null(strstr(fake_log_take(), "same consume_id"));
	handles[1].consume_id = machine_id(1);
	handles[1].connection_name = handles[0].connection_name;
	assert_int_equal(
		cross_vm_connections_init_common(m.vm, MACHINE_BASE, handles, 2, m.pci, irq_each),
		-1);
	assert_non_null(strstr(fake_log_take(), "same name"));
	assert_null(m.pci->bus0[1][0]);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_of_the_callers_is_kept),
		cmocka_unit_test(both_spellings_of_the_size),
		cmocka_unit_test(no_events),
		cmocka_unit_test(names_of_those_without),
		cmocka_unit_test(senseless_ones_are_refused),
		cmocka_unit_test(duplicates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
