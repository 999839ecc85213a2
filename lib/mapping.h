/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapped memory, and loads and stores in it that are safe on trapped and on Device memory: aligned,
 * of one word each. A compiler's or libc's memcpy may use vector instructions, which hypervisors
 * cannot emulate on trapped registers, or unaligned ones, which fault on arm64's Device memory.
 */
#ifndef CROSSVM_LIB_MAPPING_H
#define CROSSVM_LIB_MAPPING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct crossvm_mapping {
	void *address; /* NULL: nothing mapped */
	size_t bytes;
};

/* Map shared. protection as for mmap(). @return 0 or -errno. */
int crossvm_map(struct crossvm_mapping *mapping, int fd, off_t offset, size_t bytes,
		int protection);
/* Accepts an empty mapping. */
void crossvm_unmap(struct crossvm_mapping *mapping);

static inline uint32_t crossvm_load32(const void *base, size_t offset)
{
	const volatile uint32_t *words = base;

	return words[offset / sizeof(*words)];
}

static inline void crossvm_store32(void *base, size_t offset, uint32_t value)
{
	volatile uint32_t *words = base;

	words[offset / sizeof(*words)] = value;
}

static inline uint64_t crossvm_load64_acquire(const void *base, size_t offset)
{
	const uint64_t *words = base;

	return __atomic_load_n(&words[offset / sizeof(*words)], __ATOMIC_ACQUIRE);
}

/* Copy whole words. */
void crossvm_load_words(void *destination, const void *base, size_t offset, size_t bytes);

#endif
