// SPDX-License-Identifier: BSD-2-Clause
/*
 * BARs are powers of two no smaller than what they hold (defect 8: a floor log2), move where a guest
 * puts them (defect 9: old and new address were ORed), and none is larger than what backs it
 * (defect 7: the register BAR was as large as the dataport).
 */
#include "tests/device/rig.h"

static const uint64_t page = CROSSVM_PAGE_BYTES;

/* What a guest does to learn a size: all ones into each half, with decoding off. */
static uint64_t guest_sizes(struct rig *rig, enum crossvm_function function, unsigned int bar)
{
	uint32_t low = config_get(rig, function, PCI_BAR(bar), 4);
	uint64_t mask;

	config_put(rig, function, PCI_BAR(bar), 0xffffffff, 4);
	mask = config_get(rig, function, PCI_BAR(bar), 4);
	config_put(rig, function, PCI_BAR(bar), low, 4);
	if (mask == 0)
		return 0;
	if ((low & 0x6) == 0x4) {
		uint32_t high = config_get(rig, function, PCI_BAR(bar + 1), 4);

		config_put(rig, function, PCI_BAR(bar + 1), 0xffffffff, 4);
		mask |= (uint64_t)config_get(rig, function, PCI_BAR(bar + 1), 4) << 32;
		config_put(rig, function, PCI_BAR(bar + 1), high, 4);
	} else {
		mask |= 0xffffffffull << 32;
	}
	return ~(mask & ~0xfull) + 1;
}

static const struct {
	uint64_t bytes;
	uint64_t bar;
} sizes[] = {
	{4096, 4096},
	{8192, 8192},
	{12288, 16384},
	{20480, 32768},
	{1 << 20, 1 << 20},
	{3 << 20, 4 << 20},
	{(1 << 30) - 4096, 1 << 30},
	{1ull << 31, 1ull << 31},
	{(1ull << 31) + 4096, 1ull << 32},
	{1ull << 32, 1ull << 32},
};

static void split_layout_sizes(void **state)
{
	struct rig rig[1];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SPLIT);

		options.dataport_bytes = sizes[i].bytes;
		rig_start_with(rig, &options);
		assert_int_equal(config_get(rig, MEMORY, PCI_BAR(2), 4), 0xc);
		assert_int_equal(guest_sizes(rig, EVENTS, 0), page);
		assert_int_equal(guest_sizes(rig, MEMORY, 0), page);
		assert_int_equal(guest_sizes(rig, MEMORY, 2), sizes[i].bar);
		assert_int_equal(crossvm_device_bar_bytes(&rig->state, MEMORY, 2), sizes[i].bar);
		assert_true(crossvm_device_bar_is_64bit(&rig->state, MEMORY, 2));
		assert_false(crossvm_device_bar_is_64bit(&rig->state, MEMORY, 0));
		assert_int_equal(get(rig, CROSSVM_REG_DATAPORT_BYTES), (uint32_t)sizes[i].bytes);
		assert_int_equal(get(rig, CROSSVM_REG_DATAPORT_BYTES + 4), sizes[i].bytes >> 32);
		assert_int_equal(rig->status.dataport_bytes, sizes[i].bytes);
		for (unsigned int bar = 1; bar < 6; bar++) {
			assert_int_equal(guest_sizes(rig, EVENTS, bar), 0);
			if (bar != 2 && bar != 3)
				assert_int_equal(guest_sizes(rig, MEMORY, bar), 0);
		}
	}
}

static void single_layout_sizes(void **state)
{
	struct rig rig[1];

	(void)state;
	for (size_t i = 0; sizes[i].bytes <= 1ull << 31; i++) {
		struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SINGLE);

		options.dataport_bytes = sizes[i].bytes;
		rig_start_with(rig, &options);
		assert_int_equal(guest_sizes(rig, EVENTS, 0), 2 * page);
		assert_int_equal(guest_sizes(rig, EVENTS, 1), sizes[i].bar);
		for (unsigned int bar = 2; bar < 6; bar++)
			assert_int_equal(guest_sizes(rig, EVENTS, bar), 0);
	}
}

static void an_event_only_connection_has_no_dataport_bar(void **state)
{
	struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SPLIT);
	struct rig rig[1];

	(void)state;
	options.dataport_bytes = 0;
	rig_start_with(rig, &options);
	assert_int_equal(guest_sizes(rig, MEMORY, 0), page);
	assert_int_equal(config_get(rig, MEMORY, PCI_BAR(2), 4), 0);
	assert_int_equal(guest_sizes(rig, MEMORY, 2), 0);
	assert_int_equal(get(rig, CROSSVM_REG_FEATURES) & CROSSVM_FEATURE_DATAPORT, 0);
	options.layout = CROSSVM_LAYOUT_SINGLE;
	rig_start_with(rig, &options);
	assert_int_equal(guest_sizes(rig, EVENTS, 1), 0);
}

static void a_moved_bar_is_at_its_new_address_only(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	config_put(rig, EVENTS, PCI_BAR(0), 0xfe555000, 4);
	config_put(rig, EVENTS, PCI_BAR(0), 0xfeaaa000, 4);
	assert_int_equal(crossvm_device_bar_address(&rig->state, EVENTS, 0), 0xfeaaa000);
	config_put(rig, MEMORY, PCI_BAR(2), 0x00400000, 4);
	config_put(rig, MEMORY, PCI_BAR(3), 0x00000055, 4);
	config_put(rig, MEMORY, PCI_BAR(2), 0x00800fff, 4); /* low bits and flags do not stick */
	config_put(rig, MEMORY, PCI_BAR(3), 0x000000aa, 4);
	assert_int_equal(crossvm_device_bar_address(&rig->state, MEMORY, 2), 0xaa00800000);
	assert_int_equal(config_get(rig, MEMORY, PCI_BAR(2), 4), 0x0080000c);
	assert_int_equal(crossvm_device_bar_address(&rig->state, MEMORY, 1), 0);
	assert_int_equal(crossvm_device_bar_address(&rig->state, MEMORY, 7), 0);
	/* Byte by byte is as good. */
	config_put(rig, EVENTS, PCI_BAR(0) + 3, 0x12, 1);
	assert_int_equal(crossvm_device_bar_address(&rig->state, EVENTS, 0), 0x12aaa000);
}

static void a_host_without_firmware_assigns_them(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_bar_assign(&rig->state, EVENTS, 0, 0xdf001000);
	crossvm_device_bar_assign(&rig->state, MEMORY, 2, 0x8000400000);
	crossvm_device_bar_assign(&rig->state, MEMORY, 5, 0x1000);
	assert_int_equal(crossvm_device_bar_address(&rig->state, EVENTS, 0), 0xdf001000);
	assert_int_equal(crossvm_device_bar_address(&rig->state, MEMORY, 2), 0x8000400000);
	assert_int_equal(config_get(rig, MEMORY, PCI_BAR(5), 4), 0);
	crossvm_device_enable(&rig->state, EVENTS, 77);
	crossvm_device_enable(&rig->state, MEMORY, 77);
	assert_int_equal(crossvm_device_command(&rig->state, EVENTS), 0x2);
	assert_int_equal(config_get(rig, EVENTS, PCI_INTERRUPT_LINE, 1), 77);
	assert_int_equal(config_get(rig, MEMORY, PCI_INTERRUPT_LINE, 1), 0); /* it has no pin */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_layout_sizes),
		cmocka_unit_test(single_layout_sizes),
		cmocka_unit_test(an_event_only_connection_has_no_dataport_bar),
		cmocka_unit_test(a_moved_bar_is_at_its_new_address_only),
		cmocka_unit_test(a_host_without_firmware_assigns_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
