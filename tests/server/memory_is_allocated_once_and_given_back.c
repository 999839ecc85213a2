/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "server/arena.h"
#include "tests/server/victim.h"

#define ARENA_BYTES (1u << 20)

static bool is_zeroed(const unsigned char *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (memory[i])
			return false;
	return true;
}

static void what_is_allocated_is_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = {1, 63, 64, 65, 4096, 10000};
	struct arena *arena = arena_create(ARENA_BYTES);
	unsigned char *memory[6];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		memory[i] = arena_allocate(arena, sizes[i]);
		assert_non_null(memory[i]);
		assert_int_equal((uintptr_t)memory[i] % 64, 0);
		assert_true(is_zeroed(memory[i], sizes[i]));
		memset(memory[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(memory[i][j], i + 1);
	assert_null(arena_allocate(arena, 0));
	assert_null(arena_allocate(arena, ARENA_BYTES));
	assert_null(arena_allocate(arena, SIZE_MAX));
	arena_destroy(arena);
	arena_destroy(NULL);
}

static void what_is_released_is_allocated_again_zeroed(void **state)
{
	struct arena *arena = arena_create(ARENA_BYTES);
	unsigned char *first = arena_allocate(arena, 1000);
	unsigned char *second = arena_allocate(arena, 2000);

	(void)state;
	memset(first, 1, 1000);
	memset(second, 2, 2000);
	arena_release(arena, first, 1000);
	arena_release(arena, second, 2000);
	arena_release(arena, NULL, 1000);
	assert_ptr_equal(arena_allocate(arena, 1000), first);
	assert_ptr_not_equal(arena_allocate(arena, 1000), second);
	assert_ptr_equal(arena_allocate(arena, 2000), second);
	assert_true(is_zeroed(first, 1000));
	assert_true(is_zeroed(second, 2000));
	arena_destroy(arena);
}

/* However often: a client that comes and goes uses nothing up. */
static void it_is_not_used_up_by_coming_and_going(void **state)
{
	struct arena *arena = arena_create(ARENA_BYTES);

	(void)state;
	for (int i = 0; i < 10000; i++) {
		void *memory = arena_allocate(arena, 10000);

		assert_non_null(memory);
		arena_release(arena, memory, 10000);
	}
	arena_destroy(arena);
}

static void an_offset_leads_back(void **state)
{
	struct arena *arena = arena_create(ARENA_BYTES);
	unsigned char *memory = arena_allocate(arena, 100);
	const uint64_t offset = arena_offset(arena, memory);

	(void)state;
	assert_int_not_equal(offset, 0);
	assert_ptr_equal(arena_at(arena, offset), memory);
	assert_null(arena_at(arena, 0));
	assert_null(arena_at(arena, offset + 1));
	assert_null(arena_at(arena, ARENA_BYTES));
	assert_null(arena_at(arena, ARENA_BYTES - 64));
	memory = arena_reserve(arena, 64);
	assert_int_equal(arena_offset(arena, memory), ARENA_BYTES - 64);
	assert_ptr_equal(arena_at(arena, ARENA_BYTES - 64), memory);
	assert_null(arena_at(arena, UINT64_MAX - 63));
	arena_destroy(arena);
}

/* The same bytes by its descriptor, wherever another program maps it. */
static void another_mapping_finds_it_by_its_offset(void **state)
{
	struct arena *arena = arena_create(ARENA_BYTES);
	unsigned char *memory = arena_allocate(arena, 100);
	unsigned char *map =
		mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, arena_fd(arena), 0);

	(void)state;
	assert_ptr_not_equal(map, MAP_FAILED);
	memcpy(memory, "there", 6);
	assert_string_equal((const char *)map + arena_offset(arena, memory), "there");
	munmap(map, ARENA_BYTES);
	arena_destroy(arena);
}

static void what_is_reserved_is_there_once_populated(void **state)
{
	struct arena *arena = arena_create(ARENA_BYTES);
	unsigned char *reserved = arena_reserve(arena, ARENA_BYTES / 2);
	unsigned char present;

	(void)state;
	assert_non_null(reserved);
	assert_null(arena_reserve(arena, ARENA_BYTES / 2));
	assert_null(arena_reserve(arena, 0));
	assert_null(arena_reserve(arena, SIZE_MAX));
	assert_null(arena_allocate(arena, ARENA_BYTES / 2));
	assert_non_null(arena_allocate(arena, ARENA_BYTES / 4));
	assert_int_equal(arena_populate(arena), 0);
	assert_int_equal(mincore(reserved + 8192, 4096, &present), 0);
	assert_false(present & 1);
	assert_int_equal(arena_populate_part(reserved + 8192, 100), 0);
	assert_int_equal(mincore(reserved + 8192, 4096, &present), 0);
	assert_true(present & 1);
	assert_true(is_zeroed(reserved, 16384));
	arena_destroy(arena);
}

/* A process that is killed at any point leaves an arena that another one goes on with. */

struct work {
	struct arena *arena;
	void *spare;
};

static void allocate_and_release(void *context)
{
	const struct work *work = context;
	void *again = arena_allocate(work->arena, 1000); /* the spare one */
	void *fresh = arena_allocate(work->arena, 5000);

	arena_release(work->arena, fresh, 5000);
	arena_release(work->arena, again, 1000);
}

static struct victim_point once(struct victim_point point)
{
	struct work work = {.arena = arena_create(ARENA_BYTES)};
	unsigned char *memory[8];
	struct victim_point lived;

	work.spare = arena_allocate(work.arena, 1000);
	memset(work.spare, 1, 1000);
	arena_release(work.arena, work.spare, 1000);
	lived = victim_run(allocate_and_release, &work, point);
	for (int i = 0; i < 8; i++) {
		const size_t bytes = i % 2 ? 1000 : 5000;

		memory[i] = arena_allocate(work.arena, bytes);
		assert_non_null(memory[i]);
		assert_true(is_zeroed(memory[i], bytes));
		memset(memory[i], i + 1, bytes);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(memory[i][i % 2 ? 999 : 4999], i + 1);
	arena_destroy(work.arena);
	return lived;
}

static void a_process_may_die_at_any_point(void **state)
{
	(void)state;
	victim_everywhere(once, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_allocated_is_zeroed_aligned_and_apart),
		cmocka_unit_test(what_is_released_is_allocated_again_zeroed),
		cmocka_unit_test(it_is_not_used_up_by_coming_and_going),
		cmocka_unit_test(an_offset_leads_back),
		cmocka_unit_test(another_mapping_finds_it_by_its_offset),
		cmocka_unit_test(what_is_reserved_is_there_once_populated),
		cmocka_unit_test(a_process_may_die_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
