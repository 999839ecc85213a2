/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dataport as CBMC sees it, included before everything else and in place of atomic.h: every load
 * gives any value at all, whatever was stored or loaded there before, so that the peer may do
 * anything at any moment. Every load, store and copy is checked to stay inside the dataport, and every
 * store to be where this side may store.
 */
#ifndef CROSSVM_LIB_CHANNEL_ATOMIC_H
#define CROSSVM_LIB_CHANNEL_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CROSSVM_CHANNEL_STEP() ((void)0)

extern uint8_t *dataport;
extern uint64_t dataport_bytes;

uint64_t nondet_word(void);
/* Of each proof: may this side store there? */
bool may_store(uint64_t offset, uint64_t bytes);

static inline void check_inside(const void *place, uint64_t bytes)
{
	uint64_t offset = __CPROVER_POINTER_OFFSET(place);

	__CPROVER_assert(__CPROVER_same_object(place, dataport), "access is to the dataport");
	__CPROVER_assert(offset <= dataport_bytes && bytes <= dataport_bytes - offset,
			 "access is inside the dataport");
}

static inline void check_word(const void *place)
{
	check_inside(place, sizeof(uint64_t));
	__CPROVER_assert(__CPROVER_POINTER_OFFSET(place) % sizeof(uint64_t) == 0,
			 "word is aligned");
}

static inline uint64_t load(const uint64_t *word)
{
	check_word(word);
	return nondet_word();
}

static inline uint64_t load_acquire(const uint64_t *word)
{
	return load(word);
}

static inline void store(uint64_t *word, uint64_t value)
{
	(void)value;
	check_word(word);
	__CPROVER_assert(may_store(__CPROVER_POINTER_OFFSET(word), sizeof(*word)),
			 "store is to what this side writes");
}

static inline void store_release(uint64_t *word, uint64_t value)
{
	store(word, value);
}

static inline bool channel_fence_by_lock(void)
{
	return false;
}

static inline void fence(bool by_lock)
{
	(void)by_lock;
}

static inline void fence_release(void)
{
}

static inline void fence_acquire(void)
{
}

static inline void relax(void)
{
}

static inline void expect_store(const void *place)
{
	(void)place;
}

/* Payloads decide nothing, so their bytes need not be moved. */
static inline void *check_copy(void *to, const void *from, size_t bytes)
{
	if (__CPROVER_same_object(to, dataport)) {
		check_inside(to, bytes);
		__CPROVER_assert(may_store(__CPROVER_POINTER_OFFSET(to), bytes),
				 "copy is to what this side writes");
	} else {
		__CPROVER_assert(__CPROVER_w_ok(to, bytes), "copy is inside its destination");
	}
	if (__CPROVER_same_object(from, dataport))
		check_inside(from, bytes);
	else
		__CPROVER_assert(__CPROVER_r_ok(from, bytes), "copy is inside its source");
	return to;
}
#define memcpy check_copy

#endif
