// SPDX-License-Identifier: BSD-2-Clause
/* The status page has a count that nobody clears, and that a guest cannot spoil for itself. */
#include "tests/device/rig.h"

static uint64_t total_in_registers(struct rig *rig)
{
	uint32_t low = get(rig, CROSSVM_REG_TOTAL_EVENTS);

	return (uint64_t)get(rig, CROSSVM_REG_TOTAL_EVENTS + 4) << 32 | low;
}

static void acknowledging_does_not_lower_it(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 7);
	get(rig, CROSSVM_REG_EVENT_COUNT);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(rig->status.total_events, 7);
	assert_int_equal(total_in_registers(rig), 7);
	crossvm_device_events_add(&rig->dev, 0);
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(rig->status.total_events, 8);
}

static void an_absolute_total_counts_once(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	assert_true(crossvm_device_events_set(&rig->dev, 10));
	assert_false(crossvm_device_events_set(&rig->dev, 10));
	assert_false(crossvm_device_events_set(&rig->dev, 4));
	assert_int_equal(rig->status.total_events, 10);
	assert_true(crossvm_device_events_set(&rig->dev, 11));
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 11);
}

static void reading_the_low_half_latches_the_high_half(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 0x1ffffffff);
	assert_int_equal(get(rig, CROSSVM_REG_TOTAL_EVENTS), 0xffffffff);
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(get(rig, CROSSVM_REG_TOTAL_EVENTS + 4), 1);
	assert_int_equal(get(rig, CROSSVM_REG_TOTAL_EVENTS), 0);
	assert_int_equal(get(rig, CROSSVM_REG_TOTAL_EVENTS + 4), 2);
}

static void it_saturates(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, UINT64_MAX - 1);
	crossvm_device_events_add(&rig->dev, UINT64_MAX);
	assert_true(rig->status.total_events == UINT64_MAX);
	assert_false(crossvm_device_events_set(&rig->dev, UINT64_MAX));
}

/* Whatever a guest stores in its status page, the host neither believes it nor keeps it. */
static void scribbling_on_the_status_page_has_no_effect(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 5);
	memset(&rig->status, 0xff, sizeof(rig->status));
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(rig->status.total_events, 6);
	assert_int_equal(total_in_registers(rig), 6);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 6);
	assert_int_equal(rig->status.generation, 0);
	assert_true(crossvm_device_peer_set(&rig->dev, 2, (struct crossvm_peer_status){2, 0}));
	assert_int_equal(rig->status.generation, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acknowledging_does_not_lower_it),
		cmocka_unit_test(an_absolute_total_counts_once),
		cmocka_unit_test(reading_the_low_half_latches_the_high_half),
		cmocka_unit_test(it_saturates),
		cmocka_unit_test(scribbling_on_the_status_page_has_no_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
