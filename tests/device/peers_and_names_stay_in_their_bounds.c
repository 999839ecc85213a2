// SPDX-License-Identifier: BSD-2-Clause
/* Names always have a NUL and nothing behind it (defect 18); members that do not exist do nothing. */
#include "tests/device/rig.h"

static void a_name_has_a_nul_and_zeros_behind_it(void **state)
{
	struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SPLIT);
	struct rig rig[1];
	uint8_t name[CROSSVM_NAME_BYTES];

	(void)state;
	memset(options.name, 'x', sizeof(options.name));
	memcpy(options.name, "short", sizeof("short")); /* and garbage behind */
	rig_start_with(rig, &options);
	crossvm_device_registers_read(&rig->dev, CROSSVM_REG_NAME, name, sizeof(name));
	assert_string_equal((char *)name, "short");
	for (size_t i = sizeof("short"); i < sizeof(name); i++)
		assert_int_equal(name[i], 0);
	assert_memory_equal(rig->status.name, name, sizeof(name));

	memset(options.name, 'y', CROSSVM_NAME_MAX);
	options.name[CROSSVM_NAME_MAX] = '\0';
	rig_start_with(rig, &options);
	assert_int_equal(get(rig, CROSSVM_REG_NAME + 44), 0x00797979);
	/* The register behind the name is no part of it: guests used to read 50 of 48 bytes. */
	assert_int_equal(get(rig, CROSSVM_REG_MAGIC), CROSSVM_ABI_MAGIC);
}

static void a_long_peer_name_is_cut(void **state)
{
	struct rig rig[1];
	char name[200];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_peer_name(&rig->dev, 1, name);
	assert_int_equal(strlen((char *)rig->status.peer_names[1]), CROSSVM_NAME_MAX);
	crossvm_device_peer_name(&rig->dev, 1, "autopilot");
	assert_string_equal((char *)rig->status.peer_names[1], "autopilot");
	assert_int_equal(rig->status.peer_names[1][CROSSVM_NAME_MAX], 0);
	assert_int_equal(rig->status.peer_names[2][0], 0);
}

static void a_member_that_does_not_exist_does_nothing(void **state)
{
	static const uint32_t nobody[] = {3, CROSSVM_MAX_MEMBERS, UINT32_MAX};
	struct crossvm_peer_status open = {CROSSVM_PEER_OPEN, 1};
	struct rig rig[1];
	struct crossvm_status_page before;

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	before = rig->status;
	for (size_t i = 0; i < sizeof(nobody) / sizeof(*nobody); i++) {
		assert_false(crossvm_device_peer_set(&rig->dev, nobody[i], open));
		crossvm_device_peer_name(&rig->dev, nobody[i], "nobody");
	}
	assert_memory_equal(&rig->status, &before, sizeof(before));
}

static void the_generation_changes_with_each_change_and_no_other(void **state)
{
	struct crossvm_peer_status status = {CROSSVM_PEER_PRESENT, 0};
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	assert_true(crossvm_device_peer_set(&rig->dev, 0, status));
	assert_false(crossvm_device_peer_set(&rig->dev, 0, status));
	assert_int_equal(rig->status.generation, 1);
	status.incarnation = 1;
	assert_true(crossvm_device_peer_set(&rig->dev, 0, status));
	assert_int_equal(rig->status.generation, 2);
	assert_int_equal(rig->status.peers[0].state, CROSSVM_PEER_PRESENT);
	assert_int_equal(rig->status.peers[0].incarnation, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_a_nul_and_zeros_behind_it),
		cmocka_unit_test(a_long_peer_name_is_cut),
		cmocka_unit_test(a_member_that_does_not_exist_does_nothing),
		cmocka_unit_test(the_generation_changes_with_each_change_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
