/* SPDX-License-Identifier: BSD-2-Clause */
/* A dataport in ordinary memory, and ports that count instead of sleeping. */
#ifndef CROSSVM_TESTS_CHANNEL_FIXTURE_H
#define CROSSVM_TESTS_CHANNEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <crossvm/abi_channel.h>
#include <crossvm/channel.h>

/* What a member's port did, and what its wait should return. */
struct bell {
	unsigned int rings;
	unsigned int waits;
	int answer;
	void (*on_wait)(void *); /* what happens while this member sleeps */
	void *ctx;
};

struct pair {
	void *memory;
	uint64_t bytes;
	struct crossvm_abi_queue *shared;
	struct bell bell[2];
	struct crossvm_queue queue[2];
};

static inline void bell_ring(void *ctx)
{
	((struct bell *)ctx)->rings++;
}

static inline int bell_wait(void *ctx, uint64_t deadline)
{
	struct bell *bell = ctx;

	(void)deadline;
	bell->waits++;
	if (bell->on_wait)
		bell->on_wait(bell->ctx);
	return bell->answer;
}

/* Page-aligned, with a page that must not be touched on either side. */
static inline void *memory_new(uint64_t bytes)
{
	uint64_t whole = (bytes + 4095) / 4096 * 4096;
	uint8_t *all = mmap(NULL, whole + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(all != MAP_FAILED);
	assert_int_equal(mprotect(all + 4096, whole, PROT_READ | PROT_WRITE), 0);
	return all + 4096;
}

static inline void memory_free(void *memory, uint64_t bytes)
{
	munmap((uint8_t *)memory - 4096, (bytes + 4095) / 4096 * 4096 + 8192);
}

static inline struct crossvm_port pair_port(struct pair *pair, unsigned int member)
{
	return (struct crossvm_port){
		.memory = pair->memory,
		.bytes = pair->bytes,
		.ring = bell_ring,
		.wait = bell_wait,
		.ctx = &pair->bell[member],
	};
}

static inline int pair_attach(struct pair *pair, unsigned int member)
{
	struct crossvm_port port = pair_port(pair, member);
	struct crossvm_queue_config config = {.member = member, .spin_limit = 3};

	return crossvm_queue_attach(&pair->queue[member], &port, &config);
}

static inline void pair_init(struct pair *pair, uint64_t bytes)
{
	memset(pair, 0, sizeof(*pair));
	pair->bytes = bytes;
	pair->memory = memory_new(bytes);
	pair->shared = pair->memory;
	for (unsigned int i = 0; i < 2; i++) {
		pair->bell[i].answer = -CROSSVM_ETIMEDOUT;
		assert_int_equal(pair_attach(pair, i), 0);
	}
	pair->bell[0].rings = 0;
	pair->bell[1].rings = 0;
}

static inline void pair_free(struct pair *pair)
{
	memory_free(pair->memory, pair->bytes);
}

/* A payload that tells its number and place. */
static inline void fill(uint8_t *data, size_t size, uint64_t number)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)((number + 1) * 131 + i * 7 + i / 256);
}

static inline bool filled(const uint8_t *data, size_t size, uint64_t number)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != (uint8_t)((number + 1) * 131 + i * 7 + i / 256))
			return false;
	}
	return true;
}

/* The same numbers in every run. */
static inline uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

#endif
