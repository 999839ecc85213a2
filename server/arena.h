/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: memory that outlives the process. It is a memory fd, mapped once and shared with every
 * process that is cloned afterwards, at the same address. An allocator and no more.
 *
 * Nothing in it is a pointer that another process relies on: what refers to something else in it is
 * an offset or an index. So another program can map the memory fd elsewhere and go on.
 *
 * Thread-safety: none. Errors: -errno, or NULL if the arena is full.
 */
#ifndef CROSSVM_SERVER_ARENA_H
#define CROSSVM_SERVER_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* @bytes: of address space; memory is used only as it is allocated. @return NULL with errno. */
struct arena *arena_create(size_t bytes);
/* Accepts NULL. */
void arena_destroy(struct arena *arena);

/* The memory fd. It stays the arena's. */
int arena_fd(const struct arena *arena);

/* Zeroed, aligned to 64 bytes, and present in memory. */
void *arena_allocate(struct arena *arena, size_t bytes);
/*
 * The same, but not present: call arena_populate_part() before it is used, in each process. For what may
 * never be used. It cannot be released.
 */
void *arena_reserve(struct arena *arena, size_t bytes);
/* To be allocated again, for the same size. Accepts NULL. */
void arena_release(struct arena *arena, void *memory, size_t bytes);

/* Where it stands in the arena; never 0. And back; NULL if no memory of the arena begins there. */
uint64_t arena_offset(const struct arena *arena, const void *memory);
void *arena_at(struct arena *arena, uint64_t offset);

/*
 * Have all that was allocated, or a part of what was reserved, present in memory and mapped into this process, so that neither
 * this process nor the kernel on its behalf can fail to store into it.
 *
 * @return 0 or -ENOMEM.
 */
int arena_populate(struct arena *arena);
int arena_populate_part(void *memory, size_t bytes);

#endif
