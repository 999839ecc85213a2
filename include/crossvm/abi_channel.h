/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a channel looks like in a dataport: the one truth for both architectures and both sides.
 *
 * Every shared word is a naturally aligned, little-endian 64-bit integer with exactly one writer,
 * accessed with plain 64-bit loads and stores: no read-modify-write, so that it works through any
 * normal-memory mapping. A dataport full of zeros is a valid, empty channel; nobody goes first.
 *
 * Positions count bytes since the channel was made and never wrap; a position's place in its ring
 * is (position % ring_bytes). Lines written by different members are 128 bytes apart, because
 * processors fetch neighbouring lines in pairs.
 */
#ifdef CROSSVM_CHANNEL_LAYOUT_2
#error "crossvm/next/abi_channel.h is included already: include one layout only"
#endif
#ifndef CROSSVM_ABI_CHANNEL_H
#define CROSSVM_ABI_CHANNEL_H
#define CROSSVM_CHANNEL_LAYOUT_1 1

#include <stddef.h>
#include <stdint.h>

/* static_assert, without a header that a freestanding compiler may not have. */
#ifdef __cplusplus
#define CROSSVM_CHANNEL_ASSERT(what, name) static_assert(what, name)
#else
#define CROSSVM_CHANNEL_ASSERT(what, name) _Static_assert(what, name)
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "channels are little-endian"
#endif

#define CROSSVM_QUEUE_MAGIC     UINT64_C(0x31515545554d5643) /* "CVMUEUQ1" */
#define CROSSVM_BROADCAST_MAGIC UINT64_C(0x31545341434d5643) /* "CVMCAST1" */
#define CROSSVM_CHANNEL_VERSION UINT64_C(1)

/* Records start at multiples of 8, so that payloads are aligned for any 64-bit type. */
#define CROSSVM_RECORD_ALIGN UINT64_C(8)
#define CROSSVM_RING_ALIGN   UINT64_C(64)

/* A wake position that no head or tail reaches: its member is awake. */
#define CROSSVM_WAKE_NEVER UINT64_MAX

/* Positions at or above this are nobody's: at 100 GB/s they are a year and more away. */
#define CROSSVM_POSITION_LIMIT (UINT64_C(1) << 62)

/* Channel flags, the same on both sides. */
#define CROSSVM_CHANNEL_POLLING UINT64_C(1) /* nobody ever sleeps, nobody rings a doorbell */

/*
 * First word of a record: payload size in the low half, kind in the high half. A pad fills the
 * ring up to its end, where the next message would not fit in one piece.
 */
#define CROSSVM_RECORD_HEADER_BYTES UINT64_C(8)
#define CROSSVM_RECORD_MESSAGE      UINT64_C(0x4d534700) /* "\0GSM" */
#define CROSSVM_RECORD_PAD          UINT64_C(0x50414400) /* "\0DAP" */

/* A broadcast record has its sequence number in the second word. */
#define CROSSVM_BROADCAST_HEADER_BYTES UINT64_C(16)

/* What a member believes the channel to be. Written before its incarnation, constant after. */
struct crossvm_abi_hello {
	uint64_t magic;
	uint64_t version;
	uint64_t flags;
	uint64_t region_bytes;
	uint64_t ring_offset[2];
	uint64_t ring_bytes[2];
};

/* What a member's peers look at after every commit: rarely written, so it stays in their caches. */
struct crossvm_abi_state {
	uint64_t incarnation;    /* 0: never attached; a new value with every attach */
	uint64_t start_position; /* of its outgoing ring when this incarnation began */
	uint64_t wake_receiver;  /* ring when the peer's head gets here, or CROSSVM_WAKE_NEVER */
	uint64_t wake_sender;    /* ring when the peer's tail gets here, or CROSSVM_WAKE_NEVER */
	uint64_t send_closed;    /* 1: sends nothing more */
	uint64_t receive_closed; /* 1: receives nothing more */
	uint64_t reserved[2];
};

/* One published position: a producer's head or a consumer's tail. */
struct crossvm_abi_position {
	uint64_t position;
	uint64_t reserved[15];
};

/*
 * Exact counts, consistent with a position at any instant: the entry whose position equals the
 * published one holds, the other one is being prepared for the next. Only its owner reads it,
 * when it attaches again; others read it for statistics.
 */
struct crossvm_abi_count {
	uint64_t position;
	uint64_t messages;
	uint64_t bytes;
};

struct crossvm_abi_journal {
	struct crossvm_abi_count entry[2];
	uint64_t reserved[2];
};

struct crossvm_abi_half_stats {
	uint64_t doorbells; /* rung by this half for the peer's */
	uint64_t sleeps;    /* of this half */
	uint64_t stalls;    /* of this half: found the ring full (sender) or empty (receiver) */
};

struct crossvm_abi_stats {
	struct crossvm_abi_half_stats sender;
	struct crossvm_abi_half_stats receiver;
	uint64_t reserved[2];
};

struct crossvm_abi_member {
	struct crossvm_abi_hello hello;
	struct crossvm_abi_state state;
};

struct crossvm_abi_ring {
	struct crossvm_abi_position head; /* written by the ring's producer */
	struct crossvm_abi_position tail; /* written by the ring's consumer */
};

struct crossvm_abi_counts {
	struct crossvm_abi_journal sent;
	struct crossvm_abi_journal received;
};

/* Ring 0 carries messages from member 0 to member 1, ring 1 the other way. */
struct crossvm_abi_queue {
	struct crossvm_abi_member member[2];
	struct crossvm_abi_ring ring[2];
	struct crossvm_abi_counts counts[2]; /* by member */
	struct crossvm_abi_stats stats[2];   /* by member */
};

/* Only the writer writes; ring_offset[1] and ring_bytes[1] are 0. */
struct crossvm_abi_broadcast {
	struct crossvm_abi_member writer;
	uint64_t head;   /* end of the newest record */
	uint64_t oldest; /* everything before may be overwritten already; published first */
	uint64_t reserved[14];
	struct crossvm_abi_journal sent;
	struct crossvm_abi_stats stats;
};

CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_hello) == 64, "hello");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, magic) == 0, "hello.magic");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, version) == 8, "hello.version");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, flags) == 16, "hello.flags");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, region_bytes) == 24,
		       "hello.region_bytes");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, ring_offset) == 32, "hello.ring_offset");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, ring_bytes) == 48, "hello.ring_bytes");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_state) == 64, "state");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_state, incarnation) == 0, "state.incarnation");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_state, start_position) == 8,
		       "state.start_position");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_state, wake_receiver) == 16,
		       "state.wake_receiver");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_state, wake_sender) == 24, "state.wake_sender");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_state, send_closed) == 32, "state.send_closed");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_state, receive_closed) == 40,
		       "state.receive_closed");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_position) == 128, "position");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_position, position) == 0, "position.position");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_count) == 24, "count");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_count, position) == 0, "count.position");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_count, messages) == 8, "count.messages");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_count, bytes) == 16, "count.bytes");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_journal) == 64, "journal");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_half_stats) == 24, "half_stats");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_half_stats, doorbells) == 0,
		       "half_stats.doorbells");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_half_stats, sleeps) == 8, "half_stats.sleeps");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_half_stats, stalls) == 16, "half_stats.stalls");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_stats) == 64, "stats");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_stats, receiver) == 24, "stats.receiver");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_member) == 128, "member");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_member, state) == 64, "member.state");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, tail) == 128, "ring.tail");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_counts, received) == 64, "counts.received");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_queue, member) == 0x000, "queue.member");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_queue, ring) == 0x100, "queue.ring");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_queue, counts) == 0x300, "queue.counts");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_queue, stats) == 0x400, "queue.stats");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_queue) == 0x480, "queue");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_broadcast, writer) == 0x000, "broadcast.writer");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_broadcast, head) == 0x080, "broadcast.head");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_broadcast, oldest) == 0x088, "broadcast.oldest");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_broadcast, sent) == 0x100, "broadcast.sent");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_broadcast, stats) == 0x140, "broadcast.stats");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_broadcast) == 0x180, "broadcast");

#endif
