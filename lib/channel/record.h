/* SPDX-License-Identifier: BSD-2-Clause */
/* Records in a ring: their header word, the bytes they span, and copying payloads. */
#ifndef CROSSVM_LIB_CHANNEL_RECORD_H
#define CROSSVM_LIB_CHANNEL_RECORD_H

#include <crossvm/abi_channel.h>
#include <stdint.h>
#include <string.h>

#include "lib/channel/atomic.h"

static inline uint64_t record_header(uint64_t kind, uint64_t size)
{
	return (kind << 32) | size;
}

static inline uint64_t record_kind(uint64_t header)
{
	return header >> 32;
}

static inline uint64_t record_size(uint64_t header)
{
	return header & UINT32_MAX;
}

/* Bytes of ring that a payload takes with its header; size is at most 32 bits. */
static inline uint64_t record_span(uint64_t header_bytes, uint64_t size)
{
	return header_bytes + ((size + CROSSVM_RECORD_ALIGN - 1) & ~(CROSSVM_RECORD_ALIGN - 1));
}

static inline uint64_t *ring_word(uint8_t *ring, uint64_t offset)
{
	return (uint64_t *)(void *)(ring + offset);
}

static inline const uint64_t *ring_word_const(const uint8_t *ring, uint64_t offset)
{
	return (const uint64_t *)(const void *)(ring + offset);
}

/*
 * In pieces: a C library writes what is larger than its caches, as it believes, past them to
 * memory, from where the receiver would have to fetch it at a third of the speed.
 */
#define COPY_PIECE (UINT64_C(128) << 10)

static inline void copy_large(uint8_t *to, const uint8_t *from, uint64_t size)
{
	for (; size > COPY_PIECE; size -= COPY_PIECE) {
		memcpy(to, from, COPY_PIECE);
		to += COPY_PIECE;
		from += COPY_PIECE;
	}
	memcpy(to, from, size);
}

/* Small sizes inline, as two overlapping moves: a call would cost more than the copy. */
static inline void copy(void *to, const void *from, uint64_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;
	struct {
		uint64_t word[4];
	} a, b;

	CROSSVM_CHANNEL_STEP();
	if (size > 64) {
		copy_large(t, f, size);
	} else if (size >= 32) {
		memcpy(&a, f, 32);
		memcpy(&b, f + size - 32, 32);
		memcpy(t, &a, 32);
		memcpy(t + size - 32, &b, 32);
	} else if (size >= 16) {
		memcpy(&a, f, 16);
		memcpy(&b, f + size - 16, 16);
		memcpy(t, &a, 16);
		memcpy(t + size - 16, &b, 16);
	} else if (size >= 8) {
		memcpy(&a, f, 8);
		memcpy(&b, f + size - 8, 8);
		memcpy(t, &a, 8);
		memcpy(t + size - 8, &b, 8);
	} else {
		for (uint64_t i = 0; i < size; i++)
			t[i] = f[i];
	}
}

#endif
