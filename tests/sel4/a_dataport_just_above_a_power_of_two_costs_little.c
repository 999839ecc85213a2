// SPDX-License-Identifier: BSD-2-Clause
/*
 * A BAR is a power of two, and all of it is mapped. Each page that is missing behind the dataport took
 * a capability slot: behind 512 MiB and one page, 131,071. Now there is a bound to them.
 */
#include <string.h>

#include "guest.h"

#define MIB          ((size_t)1 << 20)
#define LARGE        (2 * MIB)
#define BASE         0x40000000u
#define BASE_MOVED   0x20000000u
#define SMALL_BEHIND 2048u /* as many small pages, and no more, are worth their slots */
#define OWN_SLOTS    8     /* a connection's own: pages, copies, and the frames that fill */

static const struct {
	struct dataport dataport;
	size_t bar_bytes;
	/* Slots that what lies behind the dataport may take. */
	int behind;
} cases[] = {
	{{1025, 12}, 8 * MIB, 1023},
	{{2049, 12}, 16 * MIB, 2047},
	/* 511 pages to the next 2 MiB, then large frames. */
	{{4097, 12}, 32 * MIB, 511 + 7},
	{{8193, 12}, 64 * MIB, 511 + 15},
	{{8192 + 512, 12}, 64 * MIB, 15},
	/* No more frames than the caller has brought. */
	{{5, 21}, 16 * MIB, 3},
	{{257, 21}, 1024 * MIB, 255},
};

#define CASES (sizeof(cases) / sizeof(*cases))

static int connect(struct machine *m, crossvm_handle_t *handle)
{
	return cross_vm_connections_init_common(m->vm, BASE, handle, 1, m->pci, irq_same);
}

/* Both ends of each large frame, whatever is mapped there. */
static void touch(struct machine *m, uintptr_t bar, size_t bar_bytes)
{
	size_t step = bar_bytes < 64 * MIB ? 4096 : LARGE / 2;

	for (size_t offset = 0; offset < bar_bytes; offset += step) {
		fake_guest_store_pair(m->vm, bar + offset, offset);
		fake_guest_load(m->vm, bar + offset + step - 8, 8);
	}
	assert_alive();
}

static void slots_are_few(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		struct fake_usage before;
		crossvm_handle_t handle;
		struct machine m;
		int slots;

		machine_make(&m);
		handle = machine_handle(&m, cases[i].dataport);
		before = fake_usage;
		assert_int_equal(connect(&m, &handle), 0);
		slots = fake_usage.slots - before.slots;
		assert_in_range(slots, cases[i].behind, cases[i].behind + OWN_SLOTS);
		assert_in_range(slots, 0, SMALL_BEHIND + OWN_SLOTS);
		/* Each slot is mapped once; so is each frame of the caller's. */
		assert_in_range(fake_usage.mappings - before.mappings, 0,
				slots + cases[i].dataport.frames);
		assert_int_equal(guest_bar_bytes(&m, 1, 1), cases[i].bar_bytes);
		touch(&m, guest_bar(&m, 1, 1), cases[i].bar_bytes);
		machine_free(&m);
	}
}

/* They are not the dataport, and they go where it goes. */
static void they_move_with_the_bar(void **state)
{
	const struct dataport dataport = {4097, 12};
	const uintptr_t bases[] = {BASE_MOVED, BASE_MOVED + 32 * MIB, BASE};
	crossvm_handle_t handle;
	struct machine m;

	(void)state;
	machine_make(&m);
	handle = machine_handle(&m, dataport);
	assert_int_equal(connect(&m, &handle), 0);
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		uint32_t *last = fake_frame_memory(m.dataports[0].frames[4096]);

		guest_assign(&m, 1, bases[i]);
		assert_int_equal(guest_bar(&m, 1, 1), bases[i]);
		fake_guest_store(m.vm, bases[i] + 16 * MIB, 7 + i, 4);
		assert_int_equal(*last, 7 + i);
		fake_guest_store(m.vm, bases[i] + 16 * MIB + 4096, 1, 4);
		fake_guest_store(m.vm, bases[i] + 18 * MIB, 1, 4);
		assert_int_equal(*last, 7 + i);
		touch(&m, bases[i], 32 * MIB);
	}
	machine_free(&m);
}

static void nothing_stays_behind_if_one_cannot_be_had(void **state)
{
	crossvm_handle_t handle;
	struct fake_usage before;
	struct machine m;
	int result;

	(void)state;
	machine_make(&m);
	handle = machine_handle(&m, (struct dataport){4097, 12});
	assert_int_equal(connect(&m, &handle), 0);
	crossvm_connections_destroy(m.vm);
	before = fake_usage;
	for (int failing = 0;; failing += 211) {
		(void)fake_fail_allocation(failing);
		result = connect(&m, &handle);
		if ((int)fake_fail_allocation(-1) <= failing)
			break;
		assert_int_equal(result, -1);
		assert_memory_equal(&fake_usage, &before, sizeof(before));
		assert_true(strlen(fake_log_take()) > 0);
		assert_alive();
	}
	assert_int_equal(result, 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_few),
		cmocka_unit_test(they_move_with_the_bar),
		cmocka_unit_test(nothing_stays_behind_if_one_cannot_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
