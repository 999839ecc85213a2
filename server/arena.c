/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/arena.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT  64u
#define PAGE_BYTES 4096u

/* Given back, to be used for the same size again. */
struct spare {
	uint64_t next; /* offset; 0: none */
	size_t bytes;
};

/* At the beginning of the memory. */
struct arena {
	size_t bytes;
	_Atomic size_t used;     /* from the beginning */
	_Atomic size_t reserved; /* from the end */
	uint64_t spares;         /* offset of the first; 0: none */
	int fd;
};

static size_t round_up(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

struct arena *arena_create(size_t bytes)
{
	struct arena *arena = MAP_FAILED;
	const int fd = memfd_create("crossvm-arena", MFD_CLOEXEC);
	int error;

	if (fd < 0)
		return NULL;
	bytes = bytes < PAGE_BYTES ? PAGE_BYTES : round_up(bytes);
	if (!ftruncate(fd, (off_t)bytes))
		arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
			     0);
	if (arena == MAP_FAILED) {
		error = errno;
		close(fd);
		errno = error;
		return NULL;
	}
	arena->bytes = bytes;
	arena->fd = fd;
	atomic_store(&arena->used, round_up(sizeof(*arena)));
	return arena;
}

void arena_destroy(struct arena *arena)
{
	if (!arena)
		return;
	close(arena->fd);
	munmap(arena, arena->bytes);
}

int arena_fd(const struct arena *arena)
{
	return arena->fd;
}

uint64_t arena_offset(const struct arena *arena, const void *memory)
{
	return (uint64_t)((const unsigned char *)memory - (const unsigned char *)arena);
}

void *arena_at(struct arena *arena, uint64_t offset)
{
	const size_t used = atomic_load(&arena->used);
	const size_t reserved_from = arena->bytes - atomic_load(&arena->reserved);

	if (offset < round_up(sizeof(*arena)) || offset % ALIGNMENT || offset >= arena->bytes ||
	    (offset >= used && offset < reserved_from))
		return NULL;
	return (unsigned char *)arena + offset;
}

static void *take_spare(struct arena *arena, size_t bytes)
{
	uint64_t *link = &arena->spares;
	struct spare *spare;

	for (; (spare = arena_at(arena, *link)); link = &spare->next)
		if (spare->bytes == bytes) {
			*link = spare->next;
			memset(spare, 0, bytes);
			return spare;
		}
	return NULL;
}

void *arena_reserve(struct arena *arena, size_t bytes)
{
	const size_t reserved = atomic_load(&arena->reserved);
	const size_t rest = arena->bytes - atomic_load(&arena->used) - reserved;

	bytes = round_up(bytes);
	if (!bytes || bytes > rest)
		return NULL;
	atomic_store(&arena->reserved, reserved + bytes);
	return (unsigned char *)arena + arena->bytes - reserved - bytes;
}

void *arena_allocate(struct arena *arena, size_t bytes)
{
	const size_t used = atomic_load(&arena->used);
	unsigned char *memory;

	if (!bytes || bytes > arena->bytes)
		return NULL;
	bytes = round_up(bytes);
	memory = take_spare(arena, bytes);
	if (memory)
		return memory;
	if (bytes > arena->bytes - used - atomic_load(&arena->reserved))
		return NULL;
	memory = (unsigned char *)arena + used;
	if (arena_populate_part(memory, bytes))
		return NULL;
	atomic_store(&arena->used, used + bytes);
	return memory;
}

void arena_release(struct arena *arena, void *memory, size_t bytes)
{
	struct spare *spare = memory;

	if (!memory)
		return;
	*spare = (struct spare){.next = arena->spares, .bytes = round_up(bytes)};
	arena->spares = arena_offset(arena, memory);
}

/* For kernels before 5.14: where there is no memory left, this is a SIGBUS. */
static void touch(unsigned char *memory, size_t bytes)
{
	volatile unsigned char *byte = memory;

	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		byte[i] = byte[i];
	if (bytes)
		byte[bytes - 1] = byte[bytes - 1];
}

int arena_populate_part(void *memory, size_t bytes)
{
	unsigned char *begin = (unsigned char *)memory - (uintptr_t)memory % PAGE_BYTES;
	const size_t length = (size_t)((unsigned char *)memory + bytes - begin);

#ifdef MADV_POPULATE_WRITE
	if (!madvise(begin, length, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return -ENOMEM;
#endif
	touch(memory, bytes);
	return 0;
}

int arena_populate(struct arena *arena)
{
	return arena_populate_part(arena, atomic_load(&arena->used));
}
