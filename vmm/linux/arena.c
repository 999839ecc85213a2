/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that outlives the process: shared with every process cloned from the one that made it, at
 * the same address.
 */
#include <string.h>
#include <sys/mman.h>

#include "vmm/linux/internal.h"

#define ALIGNMENT 64u

static size_t round_up(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Have the pages present, by storing into each what stands there. */
static void touch(unsigned char *memory, size_t bytes)
{
	volatile unsigned char *byte = memory;

	for (size_t i = 0; i < bytes; i += CROSSVM_PAGE_BYTES)
		byte[i] = byte[i];
	if (bytes)
		byte[bytes - 1] = byte[bytes - 1];
}

struct arena *arena_create(size_t bytes)
{
	struct arena *arena;

	if (bytes < CROSSVM_PAGE_BYTES)
		bytes = CROSSVM_PAGE_BYTES;
	arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		return NULL;
	arena->bytes = bytes;
	atomic_store(&arena->used, round_up(sizeof(*arena)));
	return arena;
}

void arena_destroy(struct arena *arena)
{
	if (arena)
		munmap(arena, arena->bytes);
}

static void *take_spare(struct arena *arena, size_t bytes)
{
	for (struct arena_spare **link = &arena->spares; *link; link = &(*link)->next) {
		struct arena_spare *spare = *link;

		if (spare->bytes != bytes)
			continue;
		*link = spare->next;
		memset(spare, 0, bytes);
		return spare;
	}
	return NULL;
}

void *arena_allocate(struct arena *arena, size_t bytes)
{
	const size_t used = atomic_load(&arena->used);
	void *memory;

	if (bytes == 0 || bytes > arena->bytes)
		return NULL;
	bytes = round_up(bytes);
	memory = take_spare(arena, bytes);
	if (memory)
		return memory;
	if (bytes > arena->bytes - used)
		return NULL;
	memory = (unsigned char *)arena + used;
	touch(memory, bytes);
	atomic_store(&arena->used, used + bytes);
	return memory;
}

void arena_release(struct arena *arena, void *memory, size_t bytes)
{
	struct arena_spare *spare = memory;

	if (!memory)
		return;
	*spare = (struct arena_spare){.next = arena->spares, .bytes = round_up(bytes)};
	arena->spares = spare;
}

void arena_populate(struct arena *arena)
{
	const size_t used = atomic_load(&arena->used);

	/*
	 * A page that is not mapped yet when the kernel stores a receipt into it would give a
	 * process that is being killed one more chance to lose it.
	 */
#ifdef MADV_POPULATE_WRITE
	if (!madvise(arena, used, MADV_POPULATE_WRITE))
		return;
#endif
	touch((unsigned char *)arena, used);
}
