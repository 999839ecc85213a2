// SPDX-License-Identifier: BSD-2-Clause
/*
 * A host that dies between applying and answering applies an access again. Two devices live through
 * the same accesses, one of them sees each write twice and each read twice; they stay equal.
 */
#include "tests/device/rig.h"

/* Equal in all that a guest can see or that decides over an interrupt. */
static void assert_equal(const struct crossvm_device_state *a, const struct crossvm_device_state *b)
{
	assert_memory_equal(a->functions, b->functions, sizeof(a->functions));
	assert_int_equal(a->total, b->total);
	assert_int_equal(a->shown_total, b->shown_total);
	assert_int_equal(a->acked_total, b->acked_total);
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->shown_generation, b->shown_generation);
	assert_int_equal(a->acked_generation, b->acked_generation);
	assert_int_equal(a->control, b->control);
	assert_int_equal(a->intx_off, b->intx_off);
	assert_int_equal(a->attended, b->attended);
	assert_int_equal(a->latched_total, b->latched_total);
}

static void access_registers(struct rig *rig, uint32_t offset, size_t bytes, bool write,
			     const uint8_t *data, uint8_t *out)
{
	if (write)
		crossvm_device_registers_write(&rig->dev, offset, data, bytes);
	else
		crossvm_device_registers_read(&rig->dev, offset, out, bytes);
}

static void access_config(struct rig *rig, uint32_t offset, size_t bytes, bool write,
			  const uint8_t *data, uint8_t *out)
{
	if (write)
		crossvm_device_config_write(&rig->dev, EVENTS, offset, data, bytes);
	else
		crossvm_device_config_read(&rig->dev, EVENTS, offset, out, bytes);
}

static void any_order_of_accesses(void **state)
{
	struct rig once[1], twice[1];
	uint64_t seed = 5;

	(void)state;
	rig_start(once, CROSSVM_LAYOUT_SPLIT);
	rig_start(twice, CROSSVM_LAYOUT_SPLIT);
	for (int i = 0; i < 50000; i++) {
		uint32_t offset = random32(&seed) % 0x74;
		size_t bytes = random32(&seed) % 17;
		bool write = random32(&seed) & 1, config = random32(&seed) % 4 == 0;
		void (*act)(struct rig *, uint32_t, size_t, bool, const uint8_t *, uint8_t *) =
			config ? access_config : access_registers;
		uint8_t data[16], first[16] = {0}, second[16] = {0};

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)random32(&seed);
		if (random32(&seed) % 3 == 0) {
			crossvm_device_events_add(&once->dev, 2);
			crossvm_device_events_add(&twice->dev, 2);
		}
		act(once, offset, bytes, write, data, first);
		act(twice, offset, bytes, write, data, second);
		act(twice, offset, bytes, write, data, second);
		assert_memory_equal(first, second, sizeof(first));
		assert_equal(&once->state, &twice->state);
	}
}

/* An event between the two applications must not be acknowledged by the second. */
static void an_event_in_between_is_not_lost(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 1);
	get(rig, CROSSVM_REG_EVENT_COUNT);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	crossvm_device_events_add(&rig->dev, 1);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_accesses),
		cmocka_unit_test(an_event_in_between_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
