// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defects 10 and 11: the class code was wrong, and the guest could overwrite all of config space
 * (Linux found a ROM that way, and reading it ended the VM).
 */
#include "guest.h"

static void what_a_guest_finds(struct machine *m)
{
	assert_int_equal(fake_config_read(m->pci, 1, 0x00, 4), 0xa1111af4);
	assert_int_equal(fake_config_read(m->pci, 1, 0x08, 4), 0x05000002);
	assert_int_equal(fake_config_read(m->pci, 1, 0x0e, 1), 0);
	assert_int_equal(fake_config_read(m->pci, 1, 0x18, 4), 0);
	assert_int_equal(fake_config_read(m->pci, 1, 0x30, 4), 0);
	assert_int_equal(fake_config_read(m->pci, 1, 0x34, 1), 0);
	assert_int_equal(fake_config_read(m->pci, 1, 0x3d, 1), 1);
}

static void whatever_it_writes(void **state)
{
	struct guest_driver driver;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{2, 12}}, irq_each);
	driver = guest_probe(&m, 1, GUEST_DRIVER_OLD);
	what_a_guest_finds(&m);
	assert_int_equal(fake_config_read(m.pci, 1, 0x04, 2) & 2, 2);
	for (int bytes = 1; bytes <= 8; bytes *= 2)
		for (int offset = -4; offset < 300; offset++) {
			fake_config_write(m.pci, 1, offset, bytes, 0xa5a5a5a5);
			fake_config_write(m.pci, 1, offset, bytes, 0);
			fake_config_write(m.pci, 1, offset, bytes, UINT32_MAX);
			(void)fake_config_read(m.pci, 1, offset, bytes);
		}
	what_a_guest_finds(&m);
	fake_config_write(m.pci, 1, 0x10, 4, (uint32_t)driver.registers);
	fake_config_write(m.pci, 1, 0x14, 4, (uint32_t)driver.dataport);
	fake_config_write(m.pci, 1, 0x04, 2, 2);
	fake_guest_store(m.vm, driver.registers, 1, 4);
	fake_guest_store(m.vm, driver.dataport, 1, 4);
	assert_int_equal(machine_emits, 1);
	machine_free(&m);
}

/* `command` has an effect: what does not decode does not stand in another's way. */
static void decoding_off_gives_the_place_free(void **state)
{
	uintptr_t bar[2];
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 2, (struct dataport[]){{2, 12}, {2, 12}}, irq_each);
	bar[0] = guest_bar(&m, 1, 1);
	bar[1] = guest_bar(&m, 2, 1);
	fake_config_write(m.pci, 1, 0x04, 2, 0);
	fake_config_write(m.pci, 2, 0x14, 4, (uint32_t)bar[0]);
	fake_guest_store(m.vm, bar[0], 9, 4);
	assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[1].frames[0]), 9);
	fake_config_write(m.pci, 1, 0x14, 4, (uint32_t)bar[1]);
	fake_config_write(m.pci, 1, 0x04, 2, 2);
	fake_guest_store(m.vm, bar[1], 8, 4);
	assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[0].frames[0]), 8);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_it_writes),
		cmocka_unit_test(decoding_off_gives_the_place_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
