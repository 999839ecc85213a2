// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defects 7 and 8: BARs were advertised larger than what stood behind them, or smaller than the
 * dataport. A guest process that can map a BAR must not end the VM by touching any of it.
 */
#include <string.h>

#include "guest.h"

static const struct dataport dataports[] = {{1, 12}, {3, 12}, {1, 21}, {513, 12}, {3, 21}, {0, 0}};

#define COUNT (sizeof(dataports) / sizeof(*dataports))

static void touch(struct machine *m, uintptr_t address, size_t bytes)
{
	for (size_t offset = 0; offset < bytes; offset += 4096) {
		fake_guest_load(m->vm, address + offset + 4088, 8);
		fake_guest_store(m->vm, address + offset + 4088, offset, 8);
		fake_guest_store_pair(m->vm, address + offset + 16, offset);
	}
	assert_alive();
}

static void all_of_it_can_be_touched(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, COUNT, dataports, irq_each);
	for (unsigned int i = 0; i < COUNT; i++) {
		uintptr_t bar0 = guest_bar(&m, 1 + i, 0);
		size_t bytes = guest_bar_bytes(&m, 1 + i, 1);

		assert_int_equal(guest_bar_bytes(&m, 1 + i, 0), 8192);
		/* The register page traps stores; the status page takes them. */
		touch(&m, bar0 + 4096, 4096);
		for (uintptr_t offset = 0; offset < 8192; offset += 4) {
			fake_guest_load(m.vm, bar0 + offset, 4);
			fake_guest_store(m.vm, bar0 + offset, offset, 4);
		}
		touch(&m, guest_bar(&m, 1 + i, 1), bytes);
		assert_true(bytes >= (size_t)dataports[i].frames << dataports[i].bits);
		assert_int_equal(bytes & (bytes - 1), 0);
	}
	machine_free(&m);
}

static void the_dataport_is_the_frames(void **state)
{
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, COUNT, dataports, irq_each);
	for (unsigned int i = 0; i < COUNT; i++) {
		uintptr_t bar = guest_bar(&m, 1 + i, 1);
		size_t frame_bytes = (size_t)1 << dataports[i].bits;

		for (int f = 0; f < dataports[i].frames; f++) {
			char *memory = fake_frame_memory(m.dataports[i].frames[f]);

			fake_guest_store(m.vm, bar + (size_t)f * frame_bytes, 0x1234u + (unsigned)f,
					 4);
			assert_memory_equal(memory, &(uint32_t){0x1234u + (unsigned)f}, 4);
		}
	}
	machine_free(&m);
}

/* What lies behind a dataport is nobody else's. */
static void behind_the_dataport_is_nothing(void **state)
{
	const struct dataport three = {3, 12};
	uintptr_t bar[2];
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 2, (struct dataport[]){three, three}, irq_each);
	bar[0] = guest_bar(&m, 1, 1);
	bar[1] = guest_bar(&m, 2, 1);
	fake_guest_store(m.vm, bar[0] + 0x3000, 77, 4);
	assert_int_equal(fake_guest_load(m.vm, bar[1] + 0x3000, 4), 0);
	for (int f = 0; f < 3; f++)
		assert_int_equal(*(char *)fake_frame_memory(m.dataports[0].frames[f]), 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_can_be_touched),
		cmocka_unit_test(the_dataport_is_the_frames),
		cmocka_unit_test(behind_the_dataport_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
