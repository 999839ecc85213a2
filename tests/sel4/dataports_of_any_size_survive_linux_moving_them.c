// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defects 8 and 9: BARs were not aligned, and a move gave old and new address ORed, so Linux and the
 * VMM disagreed on where things are. Linux on Arm assigns all BARs anew, and they overlap meanwhile.
 */
#include "guest.h"

static const struct dataport small_first[] = {{1, 12}, {4, 12}, {3, 12}, {1, 21}, {16, 12}};
static const struct dataport large_first[] = {{1, 21}, {16, 12}, {4, 12}, {3, 12}, {1, 12}};

#define COUNT 5u

static void check(struct machine *m, const struct dataport *dataports)
{
	for (unsigned int i = 0; i < COUNT; i++) {
		struct guest_driver driver = guest_probe(m, 1 + i, GUEST_DRIVER_OLD);
		size_t frame_bytes = (size_t)1 << dataports[i].bits;
		unsigned int before = machine_emits;

		assert_int_equal(driver.dataport % driver.dataport_bytes, 0);
		fake_guest_store(m->vm, driver.registers + CROSSVM_REG_EMIT, 1, 4);
		assert_int_equal(machine_emits, before + 1);
		assert_int_equal(fake_guest_load(m->vm, driver.registers + CROSSVM_REG_NAME, 2),
				 'c' | ('0' + i) << 8);
		for (int f = 0; f < dataports[i].frames; f++) {
			uint32_t *memory = fake_frame_memory(m->dataports[i].frames[f]);
			uint32_t mark = 1000 * i + (uint32_t)f + (uint32_t)driver.dataport;

			fake_guest_store(m->vm, driver.dataport + (size_t)f * frame_bytes, mark, 4);
			assert_int_equal(*memory, mark);
		}
	}
	assert_alive();
}

static void move_about(const struct dataport *dataports)
{
	/* Over the old places, within the window of the Arm platform. */
	const uintptr_t bases[] = {MACHINE_BASE, MACHINE_BASE + 0x200000, MACHINE_BASE + 0x800000,
				   MACHINE_BASE + 0x1000, MACHINE_BASE};
	struct machine m;

	machine_make(&m);
	machine_connect(&m, COUNT, dataports, irq_each);
	check(&m, dataports);
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		guest_assign(&m, COUNT, bases[i] & ~0x1fffffull);
		check(&m, dataports);
	}
	machine_free(&m);
}

static void small_ones_first(void **state)
{
	(void)state;
	move_about(small_first);
}

static void large_ones_first(void **state)
{
	(void)state;
	move_about(large_first);
}

/* Defect 8: as placed at first, from wherever on. */
static void each_bar_is_aligned(void **state)
{
	const struct dataport three[] = {{1, 12}, {3, 12}, {5, 12}};
	crossvm_handle_t handles[3];
	struct machine m;

	(void)state;
	machine_make(&m);
	for (unsigned int i = 0; i < 3; i++)
		handles[i] = machine_handle(&m, three[i]);
	assert_int_equal(cross_vm_connections_init_common(m.vm, MACHINE_BASE + 0x3000, handles, 3,
							  m.pci, irq_each),
			 0);
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int bar = 0; bar < 2; bar++) {
			size_t bytes = guest_bar_bytes(&m, 1 + i, bar);
			uintptr_t address = guest_bar(&m, 1 + i, bar);

			assert_int_equal(address % bytes, 0);
			fake_guest_load(m.vm, address + bytes - 8, 8);
		}
	machine_free(&m);
}

/* Two BARs change places. */
static void swap(void **state)
{
	const struct dataport two[] = {{2, 12}, {2, 12}};
	uintptr_t bar[2];
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 2, two, irq_each);
	bar[0] = guest_bar(&m, 1, 1);
	bar[1] = guest_bar(&m, 2, 1);
	fake_config_write(m.pci, 1, 0x14, 4, (uint32_t)bar[1]);
	fake_config_write(m.pci, 2, 0x14, 4, (uint32_t)bar[0]);
	fake_guest_store(m.vm, bar[0], 5, 4);
	assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[1].frames[0]), 5);
	fake_guest_store(m.vm, bar[1], 6, 4);
	assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[0].frames[0]), 6);
	machine_free(&m);
}

/* Places that a BAR cannot have: it comes back when it gets one that it can. */
static void nowhere(void **state)
{
	const uint32_t bad[] = {0, 0x1000, 0xfffff000, 0xfffffff0};
	uintptr_t bar;
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{2, 12}}, irq_each);
	bar = guest_bar(&m, 1, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_config_write(m.pci, 1, 0x14, 4, bad[i]);
		assert_null(fake_mapping_at(&m.vm->mem.vm_vspace, 0));
		fake_config_write(m.pci, 1, 0x14, 4, (uint32_t)bar);
		fake_guest_store(m.vm, bar + 0x1000, i, 4);
		assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[0].frames[1]), i);
	}
	machine_free(&m);
}

/* Defect 13: a guest that moves a BAR over another again and again fills nobody's log. */
static void over_another(void **state)
{
	const struct dataport two[] = {{2, 12}, {2, 12}};
	uintptr_t bar[2];
	struct machine m;

	(void)state;
	machine_make(&m);
	machine_connect(&m, 2, two, irq_each);
	bar[0] = guest_bar(&m, 1, 1);
	bar[1] = guest_bar(&m, 2, 1);
	for (uint64_t i = 0; i < 100; i++) {
		fake_config_write(m.pci, 1, 0x14, 4, (uint32_t)bar[1]);
		fake_guest_store(m.vm, bar[1], i, 4);
		assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[1].frames[0]), i);
		fake_config_write(m.pci, 1, 0x14, 4, (uint32_t)bar[0]);
		fake_guest_store(m.vm, bar[0], i, 4);
		assert_int_equal(*(uint32_t *)fake_frame_memory(m.dataports[0].frames[0]), i);
	}
	assert_int_equal(fake_log_lines(), 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_ones_first),    cmocka_unit_test(large_ones_first),
		cmocka_unit_test(each_bar_is_aligned), cmocka_unit_test(swap),
		cmocka_unit_test(over_another),        cmocka_unit_test(nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
