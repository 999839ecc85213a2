/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every access to a shared word goes through here: exactly one 64-bit load or store each.
 *
 * Release pairs with acquire on the same word; each use names its partner. fence() of fence.h is
 * for the one case that this does not cover: a store followed by a load of another word (Dekker's
 * pattern, see wait.h).
 */
#ifndef CROSSVM_LIB_CHANNEL_ATOMIC_H
#define CROSSVM_LIB_CHANNEL_ATOMIC_H

#include <stdint.h>

#include "lib/channel/fence.h"

/* The test build stops here, between any two stores, to see what a crash leaves behind. */
#ifndef CROSSVM_CHANNEL_STEP
#define CROSSVM_CHANNEL_STEP() ((void)0)
#endif

static inline uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t load_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void store(uint64_t *word, uint64_t value)
{
	CROSSVM_CHANNEL_STEP();
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void store_release(uint64_t *word, uint64_t value)
{
	CROSSVM_CHANNEL_STEP();
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void fence_release(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void fence_acquire(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* Tell the processor that this is a polling loop. */
static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* Tell the processor what is stored to soon. No access: the place need not even be there. */
static inline void expect_store(const void *place)
{
	__builtin_prefetch(place, 1);
}

#endif
