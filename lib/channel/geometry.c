/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/channel/geometry.h"
#include "lib/channel/atomic.h"
#include "lib/channel/complaint.h"

#define REGION_BYTES_MIN 4096u

/* A pad may span the whole ring, and its size has 32 bits. */
#define RING_BYTES_MAX ((UINT64_C(1) << 32) - CROSSVM_RING_ALIGN)

static uint64_t ring_round_down(uint64_t bytes)
{
	return bytes & ~(CROSSVM_RING_ALIGN - 1);
}

static uint64_t ring_clip(uint64_t bytes)
{
	bytes = ring_round_down(bytes);
	return bytes < RING_BYTES_MAX ? bytes : RING_BYTES_MAX;
}

int channel_geometry_check_port(const struct crossvm_port *port)
{
	if (!port || !port->memory || ((uintptr_t)port->memory & (CROSSVM_RING_ALIGN - 1)))
		return -CROSSVM_EINVAL;
	if (port->bytes < REGION_BYTES_MIN || port->bytes > UINTPTR_MAX - (uintptr_t)port->memory)
		return -CROSSVM_EINVAL;
	return 0;
}

int channel_geometry_queue(struct crossvm_abi_hello *ours, uint64_t region_bytes,
			   uint64_t first_ring_bytes, uint64_t flags)
{
	const uint64_t start = sizeof(struct crossvm_abi_queue);
	uint64_t room = ring_round_down(region_bytes - start);

	if (!first_ring_bytes)
		first_ring_bytes = ring_clip(room / 2);
	if (first_ring_bytes % CROSSVM_RING_ALIGN || first_ring_bytes > RING_BYTES_MAX ||
	    first_ring_bytes >= room)
		return -CROSSVM_EINVAL;

	ours->magic = CROSSVM_QUEUE_MAGIC;
	ours->version = CROSSVM_CHANNEL_VERSION;
	ours->flags = flags;
	ours->region_bytes = region_bytes;
	ours->ring_offset[0] = start;
	ours->ring_bytes[0] = first_ring_bytes;
	ours->ring_offset[1] = start + first_ring_bytes;
	ours->ring_bytes[1] = ring_clip(room - first_ring_bytes);
	return 0;
}

int channel_geometry_broadcast(struct crossvm_abi_hello *ours, uint64_t region_bytes)
{
	const uint64_t start = sizeof(struct crossvm_abi_broadcast);

	ours->magic = CROSSVM_BROADCAST_MAGIC;
	ours->version = CROSSVM_CHANNEL_VERSION;
	ours->flags = 0;
	ours->region_bytes = region_bytes;
	ours->ring_offset[0] = start;
	ours->ring_bytes[0] = ring_clip(region_bytes - start);
	ours->ring_offset[1] = 0;
	ours->ring_bytes[1] = 0;
	return 0;
}

int channel_geometry_compare(const struct crossvm_abi_hello *ours,
			     const struct crossvm_abi_hello *shared,
			     struct crossvm_complaint *complaint)
{
	const struct {
		enum crossvm_complaint_kind kind;
		uint64_t ours;
		const uint64_t *theirs;
	} words[] = {
		{CROSSVM_BAD_MAGIC, ours->magic, &shared->magic},
		{CROSSVM_BAD_VERSION, ours->version, &shared->version},
		{CROSSVM_BAD_FLAGS, ours->flags, &shared->flags},
		{CROSSVM_BAD_REGION_BYTES, ours->region_bytes, &shared->region_bytes},
		{CROSSVM_BAD_RING_BYTES, ours->ring_bytes[0], &shared->ring_bytes[0]},
		{CROSSVM_BAD_RING_BYTES, ours->ring_bytes[1], &shared->ring_bytes[1]},
		{CROSSVM_BAD_RING_OFFSET, ours->ring_offset[0], &shared->ring_offset[0]},
		{CROSSVM_BAD_RING_OFFSET, ours->ring_offset[1], &shared->ring_offset[1]},
	};

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t theirs = load(words[i].theirs);

		if (theirs != words[i].ours)
			return complain(complaint, words[i].kind, words[i].ours, theirs);
	}
	return 0;
}

void channel_geometry_publish(const struct crossvm_abi_hello *ours,
			      struct crossvm_abi_hello *shared)
{
	store(&shared->version, ours->version);
	store(&shared->flags, ours->flags);
	store(&shared->region_bytes, ours->region_bytes);
	for (unsigned int i = 0; i < 2; i++) {
		store(&shared->ring_offset[i], ours->ring_offset[i]);
		store(&shared->ring_bytes[i], ours->ring_bytes[i]);
	}
	/* Acquired by: nobody but our own next attach; peers acquire the incarnation after it. */
	store_release(&shared->magic, ours->magic);
}
