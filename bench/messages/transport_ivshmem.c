/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's ivshmem-doorbell with the ring that its users write for themselves: slots of one size, two
 * indexes, a doorbell for each message, a read of the UIO device when there is none. It trusts the
 * other side. Or without doorbells: then both poll.
 */
#include <stdatomic.h>
#include <string.h>

#include "bench/events/ivshmem_device.h"
#include "transport.h"

/* One direction; the slots of a direction are half of what the two of these leave. */
struct indexes {
	_Alignas(64) _Atomic uint32_t head; /* messages written, ever */
	_Alignas(64) _Atomic uint32_t tail; /* messages read, ever */
};

struct shared {
	struct indexes indexes[2];
	_Alignas(64) uint8_t slots[];
};

struct state {
	struct ivshmem device;
	struct shared *shared;
	size_t slots_bytes; /* of one direction */
	size_t size;        /* of a slot */
	uint32_t slots;
};

static void open_ivshmem(struct link *link)
{
	static struct state state;

	ivshmem_open(&state.device);
	state.shared = state.device.memory;
	state.slots_bytes = (state.device.memory_bytes - sizeof(struct shared)) / 2;
	link->state = &state;
}

/* Slots are as many as fit, but a power of two, so that indexes may wrap. */
static void divide(struct state *state, size_t size)
{
	state->size = size;
	state->slots = 1;
	while (2 * size * state->slots <= state->slots_bytes)
		state->slots *= 2;
}

static uint8_t *slot(struct link *link, unsigned int side, uint32_t index)
{
	struct state *state = link->state;

	if (state->size != link->size)
		divide(state, link->size);
	return state->shared->slots + side * state->slots_bytes +
	       (index & (state->slots - 1)) * link->size;
}

/* A full ring is looked at again and again: the receiver has no reason to ring. */
static int send_polling(struct link *link, const void *message)
{
	struct state *state = link->state;
	struct indexes *out = &state->shared->indexes[link->side];
	uint32_t head = atomic_load_explicit(&out->head, memory_order_relaxed);
	uint8_t *to = slot(link, link->side, head);

	while (head - atomic_load_explicit(&out->tail, memory_order_acquire) >= state->slots)
		;
	memcpy(to, message, link->size);
	atomic_store_explicit(&out->head, head + 1, memory_order_release);
	return 0;
}

static int send(struct link *link, const void *message)
{
	struct state *state = link->state;

	send_polling(link, message);
	ivshmem_ring(&state->device);
	return 0;
}

static bool try_receive(struct link *link, void *buffer)
{
	struct state *state = link->state;
	struct indexes *in = &state->shared->indexes[1 - link->side];
	uint32_t tail = atomic_load_explicit(&in->tail, memory_order_relaxed);

	if (atomic_load_explicit(&in->head, memory_order_acquire) == tail)
		return false;
	memcpy(buffer, slot(link, 1 - link->side, tail), link->size);
	atomic_store_explicit(&in->tail, tail + 1, memory_order_release);
	return true;
}

static int receive_polling(struct link *link, void *buffer)
{
	while (!try_receive(link, buffer))
		;
	return 0;
}

static int receive(struct link *link, void *buffer)
{
	struct state *state = link->state;

	while (!try_receive(link, buffer))
		ivshmem_wait(&state->device);
	return 0;
}

const struct transport transport_ivshmem = {
	.name = "ivshmem", .open = open_ivshmem, .send = send, .receive = receive};
const struct transport transport_ivshmem_polling = {.name = "ivshmem-polling",
						    .open = open_ivshmem,
						    .send = send_polling,
						    .receive = receive_polling};
