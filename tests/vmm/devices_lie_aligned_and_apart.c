// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the VMM assigns addresses. Defect 8: bases were unaligned, a 2 MiB dataport after a 4 KiB
 * one appeared as 8 KiB. Defect 9: window overflow and addresses over 4 GiB were not checked.
 */
#include "tests/vmm/fake.h"

#include <errno.h>

#define BASE 0xdf001000u

static seL4_CPtr frames[1];

/* Sizes in an order that leaves gaps if one goes by it. */
static const size_t sizes[] = {4096, 2 << 20, 12288, 4096, 3 << 20, 0, 64 << 10};
#define SIZES (sizeof(sizes) / sizeof(*sizes))

static int init(uintptr_t base, const size_t *bytes, int num)
{
	crossvm_dataport_handle_t dataports[SIZES] = {0};
	crossvm_handle_t handles[SIZES] = {0};

	for (int i = 0; i < num; i++) {
		dataports[i] = (crossvm_dataport_handle_t){
			.size = bytes[i], .num_frames = 1, .frames = frames};
		handles[i].consume_id = (seL4_Word)i;
		handles[i].dataport = bytes[i] ? &dataports[i] : NULL;
	}
	return cross_vm_connections_init_common(&fake.vms[0], base, handles, num, &fake.pci,
						fake_alloc_irq);
}

struct range {
	uint64_t begin;
	uint64_t end;
};

static struct range range_of(unsigned int index, unsigned int bar)
{
	const struct crossvm_device_state *state = fake_connection(0, index)->device.state;
	uint64_t begin = crossvm_device_bar_address(state, CROSSVM_FUNCTION_EVENTS, bar);
	uint64_t bytes = crossvm_device_bar_bytes(state, CROSSVM_FUNCTION_EVENTS, bar);

	assert_true(bytes == 0 || begin % bytes == 0);
	return (struct range){begin, begin + bytes};
}

static void any_order_of_sizes(void **state)
{
	struct range ranges[2 * SIZES];
	uint64_t sum = 0, end = 0;

	(void)state;
	assert_int_equal(init(BASE, sizes, SIZES), 0);
	for (unsigned int i = 0; i < 2 * SIZES; i++) {
		ranges[i] = range_of(i / 2, i % 2);
		if (ranges[i].end == ranges[i].begin)
			continue;
		assert_true(ranges[i].begin >= BASE);
		for (unsigned int j = 0; j < i; j++)
			assert_true(ranges[i].end <= ranges[j].begin ||
				    ranges[j].end <= ranges[i].begin);
		sum += ranges[i].end - ranges[i].begin;
		end = ranges[i].end > end ? ranges[i].end : end;
	}
	/* No gap but the one before the first, which is 4 MiB. */
	assert_int_equal(end, 0xdf400000 + sum);
}

static void the_guest_finds_them_enabled(void **state)
{
	struct crossvm_vmm_connection *c;
	uint32_t line = 0;

	(void)state;
	assert_int_equal(init(BASE, sizes, 2), 0);
	c = fake_connection(0, 1);
	assert_int_equal(crossvm_device_command(c->device.state, CROSSVM_FUNCTION_EVENTS), 0x2);
	crossvm_device_config_read(&c->device, CROSSVM_FUNCTION_EVENTS, 0x3c, &line, 1);
	assert_int_equal(line, 33);
	/* The size register has the exact size, the mirror shows it. */
	assert_int_equal(((uint32_t *)c->device.mirror)[CROSSVM_REG_DATAPORT_BYTES / 4], 2 << 20);
}

static void nothing_lies_beyond_4_gib(void **state)
{
	static const size_t page[] = {4096};

	(void)state;
	/* Two pages of registers, one of dataport. */
	assert_int_equal(init(0xffffd000, page, 1), -1);
	assert_non_null(strstr(fake.error, "connection 0"));
	assert_non_null(strstr(fake.error, "0xffffffff"));
	assert_int_equal(init(0xffffc000, page, 1), 0);
	crossvm_connections_destroy(&fake.vms[0]);
	assert_int_equal(init(0x100000000, page, 1), -1);
	assert_int_equal(init(UINTPTR_MAX - 4095, page, 1), -1);
	assert_int_equal(init(0xfff00000, sizes, 2), -1);
	assert_int_equal(fake.installed, 0);
	assert_int_equal(fake.errors, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_order_of_sizes, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(the_guest_finds_them_enabled, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(nothing_lies_beyond_4_gib, fake_start, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
