// SPDX-License-Identifier: BSD-2-Clause
/*
 * Identity, class code (defect 10: it was 00.05) and capabilities are as abi.h says and stay so
 * whatever a guest writes (defect 11: it could overwrite ids).
 */
#include "tests/device/rig.h"

/* The bits that a guest may change, from the PCI specification, not from the device's own masks. */
static void writable_bits(uint8_t mask[CROSSVM_CONFIG_BYTES], enum crossvm_layout layout,
			  enum crossvm_function function)
{
	uint32_t bar0 = layout == CROSSVM_LAYOUT_SPLIT ? 0xfffff000 : 0xffffe000;
	uint32_t dataport = 0xffc00000; /* 3 MiB show as 4 MiB */
	uint32_t high = 0xffffffff;

	memset(mask, 0, CROSSVM_CONFIG_BYTES);
	mask[0x04] = 0x06;
	mask[0x05] = 0x04;
	memcpy(mask + 0x10, &bar0, 4);
	if (layout == CROSSVM_LAYOUT_SINGLE)
		memcpy(mask + 0x14, &dataport, 4);
	if (function == MEMORY) {
		memcpy(mask + 0x18, &dataport, 4);
		memcpy(mask + 0x1c, &high, 4);
		return;
	}
	mask[0x3c] = 0xff;
	if (layout == CROSSVM_LAYOUT_SPLIT) {
		mask[0x42] = 0x01;
		mask[0x44] = 0xfc;
		memset(mask + 0x45, 0xff, 3 + 4 + 2);
	}
}

static void snapshot(struct rig *rig, enum crossvm_function function, uint8_t *bytes)
{
	crossvm_device_config_read(&rig->dev, function, 0, bytes, CROSSVM_CONFIG_BYTES);
}

static void assert_identity(struct rig *rig, enum crossvm_function function)
{
	assert_int_equal(config_get(rig, function, 0x00, 2), 0x1af4);
	assert_int_equal(config_get(rig, function, 0x02, 2), function == EVENTS ? 0xa111 : 0xa112);
	assert_int_equal(config_get(rig, function, 0x08, 4), 0x05000002);
	assert_int_equal(config_get(rig, function, 0x2c, 2), 0x1af4);
	assert_int_equal(config_get(rig, function, 0x2e, 2), 0x2345);
}

static void hammer(struct rig *rig, enum crossvm_layout layout, enum crossvm_function function)
{
	uint8_t before[CROSSVM_CONFIG_BYTES], after[CROSSVM_CONFIG_BYTES];
	uint8_t mask[CROSSVM_CONFIG_BYTES];
	uint64_t seed = 3;

	writable_bits(mask, layout, function);
	snapshot(rig, function, before);
	for (int i = 0; i < 20000; i++) {
		uint8_t data[16];
		uint32_t offset = random32(&seed) % 0x110;
		size_t bytes = random32(&seed) % (sizeof(data) + 1);

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = i % 3 == 0 ? 0xff : i % 3 == 1 ? 0 : (uint8_t)random32(&seed);
		crossvm_device_config_write(&rig->dev, function, offset, data, bytes);
		snapshot(rig, function, after);
		for (uint32_t j = 0; j < CROSSVM_CONFIG_BYTES; j++) {
			uint8_t expected = before[j] & ~mask[j];

			if (j >= offset && j < offset + bytes)
				expected |= data[j - offset] & mask[j];
			else
				expected |= before[j] & mask[j];
			assert_int_equal(after[j], expected);
		}
		memcpy(before, after, sizeof(before));
	}
	assert_identity(rig, function);
}

static void split_layout(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	assert_int_equal(crossvm_device_function_count(&rig->state), 2);
	assert_identity(rig, EVENTS);
	assert_identity(rig, MEMORY);
	assert_int_equal(config_get(rig, EVENTS, 0x0e, 1), 0x80); /* multifunction */
	assert_int_equal(config_get(rig, MEMORY, 0x0e, 1), 0x00);
	assert_int_equal(config_get(rig, EVENTS, 0x3d, 1), 1); /* INTA */
	assert_int_equal(config_get(rig, MEMORY, 0x3d, 1), 0);
	assert_int_equal(config_get(rig, MEMORY, 0x18, 1) & 0x0f, 0x0c); /* 64-bit, prefetchable */
	hammer(rig, CROSSVM_LAYOUT_SPLIT, EVENTS);
	hammer(rig, CROSSVM_LAYOUT_SPLIT, MEMORY);
}

static void single_layout(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	assert_int_equal(crossvm_device_function_count(&rig->state), 1);
	assert_identity(rig, EVENTS);
	assert_int_equal(config_get(rig, EVENTS, 0x0e, 1), 0x00);
	assert_int_equal(config_get(rig, EVENTS, 0x3d, 1), 1);
	assert_int_equal(config_get(rig, EVENTS, 0x14, 1) & 0x0f, 0x08); /* prefetchable */
	hammer(rig, CROSSVM_LAYOUT_SINGLE, EVENTS);
}

static void a_function_that_is_not_there_reads_as_all_ones(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	config_put(rig, MEMORY, PCI_COMMAND, 0xffffffff, 4);
	assert_int_equal(config_get(rig, MEMORY, 0x00, 4), 0xffffffff);
	assert_int_equal(crossvm_device_command(&rig->state, MEMORY), 0);
	assert_int_equal(config_get(rig, CROSSVM_FUNCTION_COUNT, 0x00, 4), 0xffffffff);
}

static void no_offset_or_length_leaves_config_space(void **state)
{
	static const uint32_t offsets[] = {0, 0xfe, 0x100, 0x80000000, 0xfffffffe};
	struct rig rig[1];
	size_t bytes = 1 << 16;
	uint8_t *data = test_malloc(bytes);

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		memset(data, 0xff, bytes);
		crossvm_device_config_write(&rig->dev, EVENTS, offsets[i], data, bytes);
		crossvm_device_config_read(&rig->dev, EVENTS, offsets[i], data, bytes);
		for (size_t j = 0; j < bytes; j++)
			if (offsets[i] + j >= CROSSVM_CONFIG_BYTES)
				assert_int_equal(data[j], 0);
	}
	assert_identity(rig, EVENTS);
	test_free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_layout),
		cmocka_unit_test(single_layout),
		cmocka_unit_test(a_function_that_is_not_there_reads_as_all_ones),
		cmocka_unit_test(no_offset_or_length_leaves_config_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
