// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 3: counts were lost where the guest's read and clear raced with the host, and a wrap to 0
 * read as "no event". Defect 13: the guest could store any value in the counter.
 */
#include "tests/device/rig.h"

static void what_came_after_the_read_is_kept(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	attend(rig);
	crossvm_device_events_add(&rig->dev, 3);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 3);
	crossvm_device_events_add(&rig->dev, 2);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_true(crossvm_device_intx_level(&rig->dev));
	assert_int_equal(rig->interrupt_changes, 1); /* so that the host raises it again */
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 2);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 0);
	assert_false(crossvm_device_intx_level(&rig->dev));
}

static void pending_is_like_the_count(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(get(rig, CROSSVM_REG_PENDING), CROSSVM_PENDING_EVENTS);
	crossvm_device_events_add(&rig->dev, 1);
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_int_equal(get(rig, CROSSVM_REG_PENDING), CROSSVM_PENDING_EVENTS);
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_int_equal(get(rig, CROSSVM_REG_PENDING), 0);
}

static void acknowledging_without_reading_acknowledges_nothing(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 5);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	put(rig, CROSSVM_REG_PENDING, 0xffffffff);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 5);
}

static void the_value_written_does_not_matter(void **state)
{
	static const uint32_t values[] = {0, 1, 7, 0x80000000, 0xffffffff};
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		crossvm_device_events_add(&rig->dev, 4);
		assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 4);
		put(rig, CROSSVM_REG_EVENT_COUNT, values[i]);
		assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 0);
	}
}

static void the_count_saturates_and_never_wraps(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 1ull << 32);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 0xffffffff);
	crossvm_device_events_add(&rig->dev, 9);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 0xffffffff);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 10);
}

static struct crossvm_device_options mirrored(void)
{
	struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SINGLE);

	options.reads_untrapped = true;
	return options;
}

/* Where reads are not seen, the count that stands in the mirror is what a write acknowledges. */
static void without_trapped_reads_a_shown_count_stands_still(void **state)
{
	struct crossvm_device_options options = mirrored();
	struct rig rig[1];
	const uint32_t *count = &rig->mirror[CROSSVM_REG_EVENT_COUNT / 4];

	(void)state;
	rig_start_with(rig, &options);
	assert_int_equal(*count, 0);
	crossvm_device_events_add(&rig->dev, 3);
	assert_int_equal(*count, 3);
	crossvm_device_events_add(&rig->dev, 2);
	assert_int_equal(*count, 3);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(*count, 2);
	assert_true(crossvm_device_intx_level(&rig->dev));
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(*count, 0);
	assert_false(crossvm_device_intx_level(&rig->dev));
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	crossvm_device_events_add(&rig->dev, 1ull << 32);
	assert_int_equal(*count, 0xffffffff);
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_int_equal(*count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_after_the_read_is_kept),
		cmocka_unit_test(pending_is_like_the_count),
		cmocka_unit_test(acknowledging_without_reading_acknowledges_nothing),
		cmocka_unit_test(the_value_written_does_not_matter),
		cmocka_unit_test(the_count_saturates_and_never_wraps),
		cmocka_unit_test(without_trapped_reads_a_shown_count_stands_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
