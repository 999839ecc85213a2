// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest says in CONTROL that it listens at its doorbell, where there is one, and finds in the status
 * page whether the others do.
 */
#include "tests/device/rig.h"

static void start_with_doorbell(struct rig *rig)
{
	struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SPLIT);

	options.member_count = 2;
	options.writers = 0x2;
	options.connection_id = 7;
	options.doorbell = true;
	rig_start_with(rig, &options);
}

static void the_feature_is_shown(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	assert_false(get(rig, CROSSVM_REG_FEATURES) & CROSSVM_FEATURE_DOORBELL);
	assert_false(rig->status.features & CROSSVM_FEATURE_DOORBELL);
	start_with_doorbell(rig);
	assert_true(get(rig, CROSSVM_REG_FEATURES) & CROSSVM_FEATURE_DOORBELL);
	assert_true(rig->status.features & CROSSVM_FEATURE_DOORBELL);
}

static void control_has_the_bit_only_with_a_doorbell(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	put(rig, CROSSVM_REG_CONTROL, ~0u);
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), 0x3);
	assert_int_equal(rig->last_control, 0x3);
	start_with_doorbell(rig);
	put(rig, CROSSVM_REG_CONTROL, ~0u);
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), 0x7);
	assert_int_equal(rig->last_control, 0x7);
	crossvm_device_reset(&rig->dev, MEMORY);
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), 0x7);
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), 0);
	assert_int_equal(rig->last_control, 0);
}

static void listeners_stand_in_the_status_page(void **state)
{
	struct crossvm_status_page before;
	struct rig rig[1];

	(void)state;
	start_with_doorbell(rig);
	before = rig->status;
	crossvm_device_listener_set(&rig->dev, 2, true);
	crossvm_device_listener_set(&rig->dev, 64, true);
	crossvm_device_listener_set(&rig->dev, UINT32_MAX, true);
	assert_memory_equal(&rig->status, &before, sizeof(before));
	crossvm_device_listener_set(&rig->dev, 0, true);
	assert_int_equal(rig->status.listeners, 1);
	crossvm_device_listener_set(&rig->dev, 1, true);
	assert_int_equal(rig->status.listeners, 3);
	crossvm_device_listener_set(&rig->dev, 1, false);
	crossvm_device_listener_set(&rig->dev, 1, false);
	assert_int_equal(rig->status.listeners, 1);
	assert_int_equal(rig->status.generation, 0);
}

/* What a guest has stored over it, neither a reset nor another process believes. */
static void a_reset_and_another_process_write_them_anew(void **state)
{
	struct rig rig[1];

	(void)state;
	start_with_doorbell(rig);
	crossvm_device_listener_set(&rig->dev, 0, true);
	rig->status.listeners = ~UINT64_C(0);
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_int_equal(rig->status.listeners, 1);
	rig->status.listeners = 0;
	crossvm_device_recover(&rig->dev);
	assert_int_equal(rig->status.listeners, 1);
}

static void what_makes_no_doorbell_is_refused(void **state)
{
	struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SPLIT);

	(void)state;
	options.doorbell = true;
	assert_string_equal(crossvm_device_options_check(&options),
			    "a doorbell joins just two members");
	options.member_count = 2;
	options.writers = 0;
	assert_string_equal(crossvm_device_options_check(&options),
			    "a connection with a doorbell has an id of at most 32767");
	options.connection_id = 32767;
	assert_null(crossvm_device_options_check(&options));
	options.layout = CROSSVM_LAYOUT_SINGLE;
	assert_string_equal(crossvm_device_options_check(&options),
			    "there is no doorbell in the single layout");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_feature_is_shown),
		cmocka_unit_test(control_has_the_bit_only_with_a_doorbell),
		cmocka_unit_test(listeners_stand_in_the_status_page),
		cmocka_unit_test(a_reset_and_another_process_write_them_anew),
		cmocka_unit_test(what_makes_no_doorbell_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
