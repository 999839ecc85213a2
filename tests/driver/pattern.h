/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of a dataport that host and guest compute alike: each word tells its place. */
#ifndef CROSSVM_TESTS_DRIVER_PATTERN_H
#define CROSSVM_TESTS_DRIVER_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t pattern_word(uint64_t index, uint64_t seed)
{
	return (index + 1) * 0x9e3779b97f4a7c15u ^ seed;
}

static inline void pattern_fill(volatile uint64_t *words, uint64_t bytes, uint64_t seed)
{
	for (uint64_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = pattern_word(i, seed);
}

static inline bool pattern_holds(const volatile uint64_t *words, uint64_t bytes, uint64_t seed)
{
	for (uint64_t i = 0; i < bytes / sizeof(*words); i++) {
		if (words[i] != pattern_word(i, seed))
			return false;
	}
	return true;
}

#endif
