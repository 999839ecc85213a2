/* SPDX-License-Identifier: BSD-2-Clause */
/* Bare polling on a word of shared memory each way: no message can be there and back sooner. */
#include <errno.h>

#include "bench/host/transport.h"

/* A number in the low half, so that no two words in a row are equal; the message above it. */
struct words {
	_Alignas(128) uint64_t word[2][16]; /* by side that writes it */
};

static uint32_t seen; /* the last number that came; each measurement is a process of its own */

static int prepare(struct link *link)
{
	return link->size > sizeof(uint64_t) ? -EMSGSIZE : 0;
}

static int join(struct link *link)
{
	(void)link;
	return 0;
}

static int send(struct link *link, const void *message, unsigned int count)
{
	uint64_t *word = &((struct words *)link->memory)->word[link->side][0];
	const uint8_t *first = message;

	(void)count;
	__atomic_store_n(word, (uint64_t)*first << 32 | (uint32_t)(*word + 1), __ATOMIC_RELEASE);
	return 0;
}

static int receive(struct link *link, void *buffer)
{
	const uint64_t *word = &((struct words *)link->memory)->word[1 - link->side][0];
	uint8_t *first = buffer;
	uint64_t now;

	do {
		now = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	} while ((uint32_t)now == seen);
	seen = (uint32_t)now;
	*first = (uint8_t)(now >> 32);
	return 1;
}

static void leave(struct link *link)
{
	(void)link;
}

const struct transport transport_word = {
	.name = "a word, polled",
	.what = "a word of shared memory each way, no message, both sides poll",
	.batch = 1,
	.trips_only = true,
	.prepare = prepare,
	.join = join,
	.send = send,
	.receive = receive,
	.leave = leave,
};
