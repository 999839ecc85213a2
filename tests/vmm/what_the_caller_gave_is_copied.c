// SPDX-License-Identifier: BSD-2-Clause
/*
 * Callers free their arrays right after init. Defect 18: the caller's handle was mutated after it
 * was copied, and every connection without a name was called "connector".
 */
#include "tests/vmm/fake.h"

static void everything_may_be_freed(void **state)
{
	crossvm_handle_t *handles = test_calloc(1, sizeof(*handles));
	crossvm_dataport_handle_t *dataport = test_calloc(1, sizeof(*dataport));
	seL4_CPtr *frames = test_calloc(2, sizeof(*frames));
	char *name = test_calloc(1, 16);
	const struct crossvm_vmm_connection *c;

	(void)state;
	strcpy(name, "freed");
	frames[0] = 100;
	frames[1] = 200;
	*dataport = (crossvm_dataport_handle_t){.size = 8192, .num_frames = 2, .frames = frames};
	handles[0].dataport = dataport;
	handles[0].consume_id = 3;
	handles[0].connection_name = name;
	assert_int_equal(cross_vm_connections_init_common(&fake.vms[0], 0, handles, 1, &fake.pci,
							  fake_alloc_irq),
			 0);
	test_free(name);
	test_free(frames);
	test_free(dataport);
	test_free(handles);
	c = fake_connection(0, 0);
	assert_string_equal(c->options.name, "freed");
	assert_int_equal(c->frames[0], 100);
	assert_int_equal(c->frames[1], 200);
	assert_int_equal(c->irq, 32);
	consume_connection_event(&fake.vms[0], 3, true);
	assert_int_equal(c->device.status->total_events, 1);
}

static void nothing_of_the_callers_is_changed(void **state)
{
	seL4_CPtr frames[] = {1};
	crossvm_dataport_handle_t dataport = {
		.frame_size_bits = 12, .num_frames = 1, .frames = frames};
	crossvm_handle_t handles[] = {{.dataport = &dataport, .consume_id = 3}};
	crossvm_handle_t before = handles[0];
	crossvm_dataport_handle_t dataport_before = dataport;

	(void)state;
	assert_int_equal(cross_vm_connections_init_common(&fake.vms[0], 0, handles, 1, &fake.pci,
							  fake_alloc_irq),
			 0);
	assert_memory_equal(&handles[0], &before, sizeof(before));
	assert_memory_equal(&dataport, &dataport_before, sizeof(dataport));
	assert_int_equal(frames[0], 1);
}

static void names_that_were_left_out_differ(void **state)
{
	struct crossvm_connection_options options[2] = {fake_options(1), fake_options(2)};

	(void)state;
	assert_int_equal(
		crossvm_connections_init(&fake.vms[0], 0, options, 2, &fake.pci, fake_alloc_irq),
		0);
	options[0].handle.consume_id = 3;
	assert_int_equal(fake_init_one(&options[0]), 0);
	for (unsigned int i = 0; i < 3; i++) {
		const struct crossvm_vmm_connection *c = fake_connection(0, i);
		char name[32];

		snprintf(name, sizeof(name), "connection-%u", i);
		assert_string_equal(c->options.name, name);
		assert_string_equal((const char *)c->device.status->name, name);
		assert_int_equal(c->options.connection_id, i + 1);
		assert_int_equal(c->options.member_count, 2);
		assert_int_equal(c->options.access, CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE);
	}
}

/* Ids that the VM gives never meet ids that the caller gave before. */
static void given_ids_are_not_given_again(void **state)
{
	struct crossvm_connection_options options = fake_options(1);

	(void)state;
	options.connection_id = 2;
	options.member_count = 4;
	options.member_id = 3;
	options.access = CROSSVM_ACCESS_READ;
	assert_int_equal(fake_init_one(&options), 0);
	assert_int_equal(fake_connection(0, 0)->options.member_id, 3);
	assert_int_equal(fake_connection(0, 0)->options.access, CROSSVM_ACCESS_READ);
	options = fake_options(2);
	assert_int_equal(fake_init_one(&options), 0);
	assert_int_equal(fake_connection(0, 1)->options.connection_id, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_may_be_freed, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(nothing_of_the_callers_is_changed, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(names_that_were_left_out_differ, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(given_ids_are_not_given_again, fake_start,
						fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
