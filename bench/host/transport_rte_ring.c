/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK's rte_ring, single producer and single consumer, with the messages as its elements: two
 * rings in shared memory, both sides poll. The same memory as our queue has.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "bench/host/transport.h"

static uint8_t *ring_memory(const struct link *link, unsigned int direction)
{
	return (uint8_t *)link->memory + direction * (link->memory_bytes / 2);
}

/* Elements: the largest power of two that fits; one of them stays empty. */
static int prepare(struct link *link)
{
	unsigned int count = 2;

	while (rte_ring_get_memsize_elem((unsigned int)link->size, count * 2) > 0 &&
	       (size_t)rte_ring_get_memsize_elem((unsigned int)link->size, count * 2) <=
		       link->memory_bytes / 2)
		count *= 2;
	if ((size_t)rte_ring_get_memsize_elem((unsigned int)link->size, count) >
	    link->memory_bytes / 2)
		return -EMSGSIZE;
	while (link->batch > 1 && link->batch > count / 2)
		link->batch /= 2;
	for (unsigned int i = 0; i < 2; i++) {
		int rc = rte_ring_init((struct rte_ring *)(void *)ring_memory(link, i), "bench",
				       count, RING_F_SP_ENQ | RING_F_SC_DEQ);

		if (rc)
			return rc;
	}
	return 0;
}

static int join(struct link *link)
{
	(void)link;
	return 0;
}

static int send(struct link *link, const void *message, unsigned int count)
{
	struct rte_ring *ring = (struct rte_ring *)(void *)ring_memory(link, link->side);
	const uint8_t *from = message;

	/* message is the first of link->batch equal ones. */
	while (count) {
		unsigned int n = rte_ring_sp_enqueue_burst_elem(
			ring, from, (unsigned int)link->size, count, NULL);

		count -= n;
		if (!n)
			rte_pause();
	}
	return 0;
}

static int receive(struct link *link, void *buffer)
{
	struct rte_ring *ring = (struct rte_ring *)(void *)ring_memory(link, 1 - link->side);

	for (;;) {
		unsigned int n = rte_ring_sc_dequeue_burst_elem(
			ring, buffer, (unsigned int)link->size, link->batch, NULL);

		if (n)
			return (int)n;
		rte_pause();
	}
}

static void leave(struct link *link)
{
	(void)link;
}

const struct transport transport_rte_ring = {
	.name = "rte_ring",
	.what = "DPDK rte_ring SP/SC, message by message, both sides poll",
	.batch = 1,
	.prepare = prepare,
	.join = join,
	.send = send,
	.receive = receive,
	.leave = leave,
};

const struct transport transport_rte_ring_batch = {
	.name = "rte_ring x32",
	.what = "DPDK rte_ring SP/SC, up to 32 messages at a time, both sides poll",
	.batch = 32,
	.prepare = prepare,
	.join = join,
	.send = send,
	.receive = receive,
	.leave = leave,
};
