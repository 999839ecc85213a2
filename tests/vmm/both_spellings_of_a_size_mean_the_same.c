// SPDX-License-Identifier: BSD-2-Clause
/* The documented struct says {size, num_frames, frames}, the current one {frame_size_bits, ...}. */
#include "tests/vmm/fake.h"

static seL4_CPtr frames[5] = {11, 12, 13, 14, 15};

static const struct crossvm_vmm_connection *init(crossvm_dataport_handle_t dataport)
{
	struct crossvm_connection_options options = fake_options(1);

	crossvm_connections_destroy(&fake.vms[0]);
	options.handle.dataport = &dataport;
	assert_int_equal(fake_init_one(&options), 0);
	return fake_connection(0, 0);
}

static void assert_dataport(const struct crossvm_vmm_connection *c, uint64_t bytes, size_t num)
{
	assert_int_equal(c->options.dataport_bytes, bytes);
	assert_int_equal(c->num_frames, num);
	assert_int_equal(c->frame_bytes, bytes / num);
	assert_int_equal(c->device.status->dataport_bytes, bytes);
	assert_memory_equal(c->frames, frames, num * sizeof(frames[0]));
}

static void pages(void **state)
{
	(void)state;
	assert_dataport(init((crossvm_dataport_handle_t){
				.size = 3 * 4096, .num_frames = 3, .frames = frames}),
			3 * 4096, 3);
	assert_dataport(init((crossvm_dataport_handle_t){
				.frame_size_bits = 12, .num_frames = 3, .frames = frames}),
			3 * 4096, 3);
}

static void large_frames(void **state)
{
	(void)state;
	assert_dataport(init((crossvm_dataport_handle_t){
				.size = 5 << 21, .num_frames = 5, .frames = frames}),
			5 << 21, 5);
	assert_dataport(init((crossvm_dataport_handle_t){
				.frame_size_bits = 21, .num_frames = 5, .frames = frames}),
			5 << 21, 5);
	assert_dataport(init((crossvm_dataport_handle_t){
				.frame_size_bits = 32, .num_frames = 1, .frames = frames}),
			1ull << 32, 1);
}

/* As a caller of either era writes it, by position. */
static void by_position(void **state)
{
	crossvm_dataport_handle_t documented = {{3 * 4096}, 3, frames};
	crossvm_dataport_handle_t current = {{12}, 3, frames};

	(void)state;
	assert_dataport(init(documented), 3 * 4096, 3);
	assert_dataport(init(current), 3 * 4096, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(large_frames, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(by_position, fake_start, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
