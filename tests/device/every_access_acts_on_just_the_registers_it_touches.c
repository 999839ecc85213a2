// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every width at every offset, against a reference that knows one byte at a time. Registers do not
 * alias over the page (defect 13), and no offset or length reaches outside.
 */
#include "tests/device/rig.h"

#define WIDTHS 16u

/* What the device should be, in the plainest words. */
struct reference {
	uint64_t total, shown, acked, latched;
	uint32_t generation, shown_generation, acked_generation;
	uint32_t control;
	unsigned int emits;
};

static uint32_t reference_peek(const struct reference *ref, uint32_t reg)
{
	static const char name[48] = "telemetry";
	uint32_t word = 0;

	if (reg >= 0x08 && reg < 0x38)
		memcpy(&word, name + reg - 0x08, 4);
	switch (reg) {
	case 0x04:
		return (uint32_t)(ref->shown - ref->acked);
	case 0x38:
		return 0x324d5658;
	case 0x3c:
		return 2;
	case 0x40:
		return 15;
	case 0x44:
		return 0x12345;
	case 0x48:
		return 1;
	case 0x4c:
		return 3;
	case 0x50:
		return 3;
	case 0x58:
		return 3 << 20;
	case 0x60:
		return (uint32_t)ref->latched;
	case 0x64:
		return (uint32_t)(ref->latched >> 32);
	case 0x68:
		return ref->control;
	case 0x6c:
		return (ref->shown != ref->acked) | (ref->shown_generation != ref->acked_generation)
							    << 1;
	}
	return word;
}

static uint32_t reference_read(struct reference *ref, uint32_t reg)
{
	if (reg == 0x04 || reg == 0x6c)
		ref->shown =
			ref->total - ref->acked > UINT32_MAX ? ref->acked + UINT32_MAX : ref->total;
	if (reg == 0x6c)
		ref->shown_generation = ref->control & 2 ? ref->generation : ref->acked_generation;
	if (reg == 0x60)
		ref->latched = ref->total;
	return reference_peek(ref, reg);
}

static void reference_write(struct reference *ref, uint32_t reg, uint32_t value, uint32_t mask)
{
	if (reg == 0x00)
		ref->emits++;
	if (reg == 0x04 || reg == 0x6c)
		ref->acked = ref->shown;
	if (reg == 0x6c)
		ref->acked_generation = ref->shown_generation;
	if (reg == 0x68)
		ref->control = ((ref->control & ~mask) | (value & mask)) & 3;
}

/* One access of the reference: the registers that its bytes are in, each once, lowest first. */
static void reference_access(struct reference *ref, uint32_t offset, uint8_t *data, size_t bytes,
			     bool write)
{
	for (uint32_t reg = 0; reg < 0x1000; reg += 4) {
		uint32_t value = 0, mask = 0;
		bool touched = false;

		for (size_t i = 0; i < bytes; i++) {
			unsigned int shift = 8 * ((offset + i) % 4);

			if ((offset + i) / 4 * 4 != reg)
				continue;
			touched = true;
			value |= (uint32_t)data[i] << shift;
			mask |= 0xffu << shift;
		}
		if (!touched)
			continue;
		if (write) {
			reference_write(ref, reg, value, mask);
			continue;
		}
		value = reference_read(ref, reg);
		for (size_t i = 0; i < bytes; i++)
			if ((offset + i) / 4 * 4 == reg)
				data[i] = (uint8_t)(value >> 8 * ((offset + i) % 4));
	}
}

static void assert_same(struct rig *rig, const struct reference *ref)
{
	assert_int_equal(rig->state.total, ref->total);
	assert_int_equal(rig->state.acked_total, ref->acked);
	assert_int_equal(rig->state.acked_generation, ref->acked_generation);
	assert_int_equal(rig->state.control, ref->control);
	assert_int_equal(rig->emits, ref->emits);
}

static void one_access(struct rig *rig, struct reference *ref, uint32_t offset, size_t bytes,
		       bool write, uint64_t *seed)
{
	/* Allocated, so that the sanitizer sees a byte too many. */
	uint8_t *expected = test_malloc(bytes), *data = test_malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		expected[i] = data[i] = (uint8_t)random32(seed);
	reference_access(ref, offset, expected, bytes, write);
	if (write)
		crossvm_device_registers_write(&rig->dev, offset, data, bytes);
	else
		crossvm_device_registers_read(&rig->dev, offset, data, bytes);
	/* A byte that is in no register was not touched by the reference. */
	for (size_t i = 0; !write && i < bytes; i++)
		if (offset + i >= 0x1000)
			expected[i] = 0;
	assert_memory_equal(data, expected, bytes);
	assert_same(rig, ref);
	test_free(data);
	test_free(expected);
}

/* Between accesses, now and then, something happens on the other side. */
static void disturb(struct rig *rig, struct reference *ref, uint64_t *seed)
{
	static const uint64_t counts[] = {1, 2, UINT32_MAX, 1ull << 32, 5};
	uint32_t choice = random32(seed) % 16;

	if (choice < 5) {
		ref->total += counts[choice];
		crossvm_device_events_add(&rig->dev, counts[choice]);
	} else if (choice == 5) {
		struct crossvm_peer_status status = {CROSSVM_PEER_OPEN, ++ref->generation};

		assert_true(crossvm_device_peer_set(&rig->dev, 2, status));
	}
}

static void every_width_at_every_offset(void **state)
{
	struct rig rig[1];
	struct reference ref = {0};
	uint64_t seed = 1;

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	for (uint32_t offset = 0; offset < 0x1010; offset++) {
		for (size_t bytes = 0; bytes <= WIDTHS; bytes++) {
			one_access(rig, &ref, offset, bytes, true, &seed);
			disturb(rig, &ref, &seed);
			one_access(rig, &ref, offset, bytes, false, &seed);
			disturb(rig, &ref, &seed);
		}
		if (offset == 0x80)
			offset = 0xff0; /* the rest of the page is covered by its ends */
	}
}

static void any_order_of_accesses(void **state)
{
	struct rig rig[1];
	struct reference ref = {0};
	uint64_t seed = 2;

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	for (int i = 0; i < 20000; i++) {
		uint32_t offset = random32(&seed) % 0x78;
		size_t bytes = random32(&seed) % (WIDTHS + 1);

		one_access(rig, &ref, offset, bytes, random32(&seed) & 1, &seed);
		disturb(rig, &ref, &seed);
	}
}

/* Defect 13: registers were decoded modulo 0x100, so 0x100 was an emit too. */
static void registers_do_not_alias(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	crossvm_device_events_add(&rig->dev, 3);
	for (uint32_t offset = CROSSVM_REG_END; offset < 0x2000; offset += 4) {
		put(rig, offset, 1);
		assert_int_equal(get(rig, offset), 0);
	}
	assert_int_equal(rig->emits, 0);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 3);
}

static void no_offset_or_length_wraps(void **state)
{
	static const uint32_t offsets[] = {0x6f,       0x70,       0x0fff,     0x10000,
					   0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
	struct rig rig[1];
	size_t bytes = 1 << 20;
	uint8_t *data = test_malloc(bytes);

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		memset(data, 0xff, bytes);
		crossvm_device_registers_write(&rig->dev, offsets[i], data, bytes);
		crossvm_device_registers_read(&rig->dev, offsets[i], data, bytes);
		for (size_t j = 0; j < bytes; j++)
			assert_int_equal(data[j], 0);
	}
	assert_int_equal(rig->emits, 0);
	assert_int_equal(rig->control_changes, 0);

	/* All of the page in one access: every register once. */
	memset(data, 0xff, bytes);
	crossvm_device_registers_write(&rig->dev, 0, data, bytes);
	assert_int_equal(rig->emits, 1);
	assert_int_equal(rig->control_changes, 1);
	crossvm_device_registers_read(&rig->dev, 0, data, bytes);
	assert_string_equal((char *)data + CROSSVM_REG_NAME, "telemetry");
	for (size_t j = CROSSVM_REG_END; j < bytes; j++)
		assert_int_equal(data[j], 0);
	test_free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_width_at_every_offset),
		cmocka_unit_test(any_order_of_accesses),
		cmocka_unit_test(registers_do_not_alias),
		cmocka_unit_test(no_offset_or_length_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
