/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout 2 of the channels: what rings and registers look like in a dataport. It is the only truth
 * for both architectures and all sides; docs/next/channels-layout.md is the specification.
 *
 * Decided, not built yet. When the last part has moved to it, this file takes the place of
 * include/crossvm/abi_channel.h.
 *
 * Every shared word is a naturally aligned, little-endian 64-bit integer with exactly one writer,
 * accessed with plain 64-bit loads and stores. A ring of zeros is a valid, empty ring. Positions
 * count from the ring's beginning and never wrap. Lines that different sides write are 128 bytes
 * apart, because processors fetch neighbouring lines in pairs.
 */
#if defined(CROSSVM_CHANNEL_LAYOUT_1)
#error "crossvm/abi_channel.h of an older layout is included already: include one layout only"
#endif
#ifndef CROSSVM_ABI_CHANNEL_H
#define CROSSVM_ABI_CHANNEL_H
#define CROSSVM_CHANNEL_LAYOUT_2 1

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

#define CROSSVM_RING_MAGIC      UINT64_C(0x32474e49524d5643) /* "CVMRING2" */
#define CROSSVM_REGISTER_MAGIC  UINT64_C(0x32474552314d5643) /* "CVM1REG2" */
#define CROSSVM_CHANNEL_VERSION UINT64_C(2)

/* Positions at or above this are nobody's. At 200 million slots a second they are 5 years away. */
#define CROSSVM_SLOT_LIMIT    (UINT64_C(1) << 55)
#define CROSSVM_PAYLOAD_LIMIT (UINT64_C(1) << 62)

/*
 * A slot is one 64-bit word. Its release store is the publication: there is no head word. The lap
 * in its upper 16 bits tells a slot of this lap from one of the lap before.
 *
 * The first slot of a message, its head, has a kind and a count. A head may be followed by MORE
 * slots, which have 48 bits of contents each. They are stored before their head.
 *
 * MESSAGE  VALUE is the size of each message; COUNT + 1 messages of this size lie back to back in
 *          the payload ring
 * TAGGED   VALUE is the size of one message in the payload ring, COUNT is 0; one MORE slot has its
 *          tag
 * INLINE   COUNT is the size of one message, up to CROSSVM_INLINE_MAX; VALUE has its first 4 bytes,
 *          each MORE slot 6 bytes
 * SKIP     the payload position goes to the next multiple of the payload ring's size
 * RESTART  VALUE is the sender's incarnation, COUNT is 0; two MORE slots have the id of the next
 *          message, lower 48 bits first
 * CLOSE    the sender sends nothing more, until RESTART; VALUE and COUNT are 0
 */
#define CROSSVM_SLOT_VALUE_MASK  UINT64_C(0xffffffff)
#define CROSSVM_SLOT_COUNT_SHIFT 32
#define CROSSVM_SLOT_COUNT_MASK  UINT64_C(0xff)
#define CROSSVM_SLOT_KIND_SHIFT  40
#define CROSSVM_SLOT_KIND_MASK   UINT64_C(0xff)
#define CROSSVM_SLOT_MORE_MASK   UINT64_C(0xffffffffffff) /* contents of a MORE slot */
#define CROSSVM_SLOT_LAP_SHIFT   48
#define CROSSVM_SLOT_LAPS        UINT64_C(65535) /* lap numbers are 1 to this, then 1 again */

#define CROSSVM_SLOT_MESSAGE UINT64_C(1)
#define CROSSVM_SLOT_TAGGED  UINT64_C(2)
#define CROSSVM_SLOT_INLINE  UINT64_C(3)
#define CROSSVM_SLOT_SKIP    UINT64_C(4)
#define CROSSVM_SLOT_RESTART UINT64_C(5)
#define CROSSVM_SLOT_CLOSE   UINT64_C(6)

#define CROSSVM_RUN_MAX          256u
#define CROSSVM_INLINE_MAX       46u /* with its head 8 slots: a cache line */
#define CROSSVM_INLINE_HEAD      4u  /* bytes in the head */
#define CROSSVM_INLINE_MORE      6u  /* bytes in each MORE slot */
#define CROSSVM_RESTART_SLOTS    3u
#define CROSSVM_PAYLOAD_ALIGN    UINT64_C(64) /* of messages of more than CROSSVM_PAYLOAD_SMALL */
#define CROSSVM_PAYLOAD_SMALL    UINT64_C(32) /* up to this, messages are aligned to 8 */
#define CROSSVM_SLOTS_LOG2_MIN   4u           /* 16 slots */
#define CROSSVM_SLOTS_LOG2_MAX   16u          /* 65536 slots, 512 KiB */
#define CROSSVM_SLOTS_LOG2_USUAL 13u /* 8192 slots, 64 KiB: the most a plan gives unasked */

/*
 * What a side is, in one word that the other side compares with the one it saw last.
 *
 * SLEEPING     this side sleeps, or is about to: kick it when there is news
 * CLOSED       this side takes no part any more
 * FORMAT_ASKED this side wants to format the ring: do not attach
 * FORMATTING   it is doing so
 * EPOCH        bits 8 to 31: plus one when the side goes to sleep for the first time after it was
 *              kicked or had news; going to sleep again after a deadline leaves it as it is
 * INCARNATION  bits 32 to 63: plus one with each attach, never 0; 0: nobody ever came
 *
 * A new holder goes on from the word that it finds, epoch and incarnation alike, so that no word
 * that the other side has seen comes again.
 */
#define CROSSVM_SIDE_SLEEPING          UINT64_C(0x1)
#define CROSSVM_SIDE_CLOSED            UINT64_C(0x2)
#define CROSSVM_SIDE_FORMAT_ASKED      UINT64_C(0x4)
#define CROSSVM_SIDE_FORMATTING        UINT64_C(0x8)
#define CROSSVM_SIDE_EPOCH             UINT64_C(0x100) /* one of them */
#define CROSSVM_SIDE_EPOCH_MASK        UINT64_C(0xffffff00)
#define CROSSVM_SIDE_INCARNATION_SHIFT 32

/*
 * Fence modes: what orders a sender's publication before its look whether the receiver sleeps.
 * FENCED: a full fence in the sender. MEMBARRIER: none; the receiver makes all processors fence
 * when it goes to sleep. LEASE: none; the receiver sleeps in rounds and looks again in each.
 * POLLING: nobody sleeps.
 *
 * A sender's word has the mode that it uses, a receiver's a mask of the modes that it can cope with
 * (bit n: mode n), each with the incarnation in bits 32 to 63.
 */
#define CROSSVM_FENCE_FENCED     UINT64_C(0)
#define CROSSVM_FENCE_MEMBARRIER UINT64_C(1)
#define CROSSVM_FENCE_LEASE      UINT64_C(2)
#define CROSSVM_FENCE_POLLING    UINT64_C(3)
#define CROSSVM_FENCE_MASK       UINT64_C(0xff)

/* A lease's rounds: the first is short, no later one is longer than the second. */
#define CROSSVM_LEASE_FIRST_MS 10u
#define CROSSVM_LEASE_LATER_MS 1000u

/* What a side takes the ring to be. Stored before its first incarnation, constant after. */
struct crossvm_abi_hello {
	uint64_t magic;
	uint64_t version;
	uint64_t bytes;      /* of the whole ring or register */
	uint64_t slots_log2; /* as in the plan */
	uint64_t serial;     /* of the plan's entry; not compared */
	uint64_t reserved[3];
};

/* What the other side looks at after each publication: rarely written. */
struct crossvm_abi_side {
	uint64_t state;        /* CROSSVM_SIDE_* */
	uint64_t fence;        /* CROSSVM_FENCE_* */
	uint64_t wish_slot;    /* of a sleeping sender: kick when tail_slot gets here */
	uint64_t wish_payload; /* of a sleeping sender: and tail_payload here */
	uint64_t reserved[4];
};

/* A place in the history of a ring: the next slot, its payload position, what came before. */
struct crossvm_abi_place {
	uint64_t slot;
	uint64_t payload;
	uint64_t messages;
	uint64_t bytes;
};

/* Two places. The entry that 'current' names holds; the other one is being written. */
struct crossvm_abi_checkpoint {
	struct crossvm_abi_place entry[2];
};

/*
 * What the sender may overwrite: slots below claim_slot and payload below claim_payload. Stored,
 * with a store fence after it, before the sender writes that far.
 */
struct crossvm_abi_claim_line {
	uint64_t claim_slot;
	uint64_t claim_payload;
	uint64_t current; /* of the sender's checkpoint */
	uint64_t reserved[5];
};

/* What the receiver has given back. payload is stored before slot. */
struct crossvm_abi_tail_line {
	uint64_t tail_slot;
	uint64_t tail_payload;
	uint64_t reserved[6];
};

/* The receiver's own position: slot * 256 plus messages of its run that are released. */
struct crossvm_abi_receiver_line {
	uint64_t position;
	uint64_t current; /* of the receiver's checkpoint */
	uint64_t reserved[6];
};
#define CROSSVM_POSITION_DONE_BITS 8

/* For people: nobody relies on them. */
struct crossvm_abi_stats {
	uint64_t kicks;  /* of the other side, by this side */
	uint64_t sleeps; /* of this side */
	uint64_t stalls; /* found the ring full (sender) or empty (receiver) */
	uint64_t reserved[5];
};

/* The sender writes the first 0x180 bytes, the receiver the rest. */
struct crossvm_abi_ring {
	struct crossvm_abi_hello sender_hello;
	struct crossvm_abi_side sender;
	struct crossvm_abi_claim_line claim;
	struct crossvm_abi_checkpoint sent;
	struct crossvm_abi_stats sender_stats;
	uint64_t reserved0[8];

	struct crossvm_abi_hello receiver_hello;
	struct crossvm_abi_side receiver;
	struct crossvm_abi_tail_line tail;
	struct crossvm_abi_checkpoint received;
	struct crossvm_abi_receiver_line own;
	struct crossvm_abi_stats receiver_stats;
	/* The slots follow, and then the payload ring up to the ring's end. */
};
#define CROSSVM_RING_HEADER_BYTES UINT64_C(0x300)

/*
 * A register: the latest value. Only the sender writes. It has 2^slots_log2 values in turn; readers
 * copy the newest, then look whether the sender has begun to overwrite it.
 */
struct crossvm_abi_register {
	struct crossvm_abi_hello hello;
	struct crossvm_abi_side sender;
	uint64_t claim;  /* number of the newest value that is being written, or has been */
	uint64_t latest; /* number of the newest value that is whole; 0: none yet */
	uint64_t reserved[6];
	struct crossvm_abi_stats stats;
	/* The values follow. */
};
#define CROSSVM_REGISTER_HEADER_BYTES UINT64_C(0x100)
#define CROSSVM_REGISTER_LOG2_MIN     1u
#define CROSSVM_REGISTER_LOG2_USUAL   2u /* four values */
#define CROSSVM_REGISTER_LOG2_MAX     8u

struct crossvm_abi_value {
	uint64_t number;
	uint64_t size; /* the contents follow, then up to the next multiple of 64 bytes nothing */
};

/* Arithmetic of slots. */

#define CROSSVM_SLOT_VALUE(word) ((uint32_t)((word)&CROSSVM_SLOT_VALUE_MASK))
#define CROSSVM_SLOT_COUNT(word) \
	((uint32_t)((word) >> CROSSVM_SLOT_COUNT_SHIFT & CROSSVM_SLOT_COUNT_MASK))
#define CROSSVM_SLOT_KIND(word) ((word) >> CROSSVM_SLOT_KIND_SHIFT & CROSSVM_SLOT_KIND_MASK)
#define CROSSVM_SLOT_LAP(word)  ((word) >> CROSSVM_SLOT_LAP_SHIFT)

/* The lap number that a published slot at this position has. */
static inline uint64_t crossvm_slot_lap(uint64_t slot, unsigned int slots_log2)
{
	return 1 + (slot >> slots_log2) % CROSSVM_SLOT_LAPS;
}

/* The lap number that this slot has while it is not published: that of the lap before, or 0. */
static inline uint64_t crossvm_slot_lap_before(uint64_t slot, unsigned int slots_log2)
{
	uint64_t lap = slot >> slots_log2;

	return lap == 0 ? 0 : 1 + (lap - 1) % CROSSVM_SLOT_LAPS;
}

/* How many MORE slots an INLINE message of this size has. */
static inline uint32_t crossvm_inline_more(uint32_t size)
{
	return size <= CROSSVM_INLINE_HEAD ? 0u
					   : (size - CROSSVM_INLINE_HEAD + CROSSVM_INLINE_MORE -
					      1u) / CROSSVM_INLINE_MORE;
}

/* Arithmetic of payload positions. payload_bytes is the size of the payload ring. */

/* The room of one message. */
static inline uint64_t crossvm_payload_span(uint64_t size)
{
	uint64_t align = size > CROSSVM_PAYLOAD_SMALL ? CROSSVM_PAYLOAD_ALIGN : 8;

	return (size + align - 1) & ~(align - 1);
}

/*
 * Where the first of a run of messages of this size begins, if the payload position is 'position'
 * before it: aligned, and at the ring's beginning if the run would not be in one piece before its
 * end. The position after it is this plus run times crossvm_payload_span(size).
 */
static inline uint64_t crossvm_payload_begin(uint64_t position, uint64_t size, uint64_t run,
					     uint64_t payload_bytes)
{
	uint64_t align = size > CROSSVM_PAYLOAD_SMALL ? CROSSVM_PAYLOAD_ALIGN : 8;
	uint64_t begin = (position + align - 1) & ~(align - 1);
	uint64_t offset = begin % payload_bytes;

	return offset + run * crossvm_payload_span(size) > payload_bytes
		       ? begin + (payload_bytes - offset)
		       : begin;
}

/* Arithmetic of the plan: what a ring of so many bytes is made of. */

/* The payload ring's size; a ring whose slots leave none has only INLINE messages. */
static inline uint64_t crossvm_ring_payload_bytes(uint64_t ring_bytes, unsigned int slots_log2)
{
	uint64_t used = CROSSVM_RING_HEADER_BYTES + (UINT64_C(8) << slots_log2);

	return ring_bytes < used ? 0 : (ring_bytes - used) & ~(CROSSVM_PAYLOAD_ALIGN - 1);
}

/* The logarithm that a plan has unless the system file says otherwise: a fifth of the room. */
static inline unsigned int crossvm_ring_slots_log2(uint64_t ring_bytes)
{
	unsigned int log2 = CROSSVM_SLOTS_LOG2_MIN;

	while (log2 < CROSSVM_SLOTS_LOG2_USUAL &&
	       CROSSVM_RING_HEADER_BYTES + 5 * (UINT64_C(16) << log2) <= ring_bytes)
		log2++;
	return log2;
}

/* The largest value of a register; 0 if it is too small for one. */
static inline uint64_t crossvm_register_value_max(uint64_t register_bytes, unsigned int slots_log2)
{
	uint64_t stride;

	if (register_bytes <= CROSSVM_REGISTER_HEADER_BYTES)
		return 0;
	stride = (register_bytes - CROSSVM_REGISTER_HEADER_BYTES) >> slots_log2 & ~UINT64_C(63);
	return stride < 64 ? 0 : stride - sizeof(struct crossvm_abi_value);
}

/* Every field has its place: a compiler that disagrees cannot build this. */
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, magic) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, version) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, bytes) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, slots_log2) == 0x18, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, serial) == 0x20, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_hello, reserved) == 0x28, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_hello) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_side, state) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_side, fence) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_side, wish_slot) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_side, wish_payload) == 0x18, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_side, reserved) == 0x20, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_side) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_place, slot) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_place, payload) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_place, messages) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_place, bytes) == 0x18, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_place) == 0x20, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_checkpoint, entry) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_checkpoint) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_claim_line, claim_slot) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_claim_line, claim_payload) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_claim_line, current) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_claim_line, reserved) == 0x18, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_claim_line) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_tail_line, tail_slot) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_tail_line, tail_payload) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_tail_line, reserved) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_tail_line) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_receiver_line, position) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_receiver_line, current) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_receiver_line, reserved) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_receiver_line) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_stats, kicks) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_stats, sleeps) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_stats, stalls) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_stats, reserved) == 0x18, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_stats) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, sender_hello) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, sender) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, claim) == 0x80, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, sent) == 0xc0, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, sender_stats) == 0x100, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, reserved0) == 0x140, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, receiver_hello) == 0x180, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, receiver) == 0x1c0, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, tail) == 0x200, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, received) == 0x240, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, own) == 0x280, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_ring, receiver_stats) == 0x2c0, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_ring) == 0x300, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_register, hello) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_register, sender) == 0x40, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_register, claim) == 0x80, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_register, latest) == 0x88, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_register, reserved) == 0x90, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_register, stats) == 0xc0, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_register) == 0x100, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_value, number) == 0x00, "ABI");
CROSSVM_CHANNEL_ASSERT(offsetof(struct crossvm_abi_value, size) == 0x08, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_value) == 0x10, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_ring) == CROSSVM_RING_HEADER_BYTES, "ABI");
CROSSVM_CHANNEL_ASSERT(sizeof(struct crossvm_abi_register) == CROSSVM_REGISTER_HEADER_BYTES, "ABI");
CROSSVM_CHANNEL_ASSERT(CROSSVM_RUN_MAX - 1 <= CROSSVM_SLOT_COUNT_MASK, "a run fits its count");
CROSSVM_CHANNEL_ASSERT(CROSSVM_RUN_MAX <= 1u << CROSSVM_POSITION_DONE_BITS, "and its position");
CROSSVM_CHANNEL_ASSERT(CROSSVM_INLINE_MAX == CROSSVM_INLINE_HEAD + 7 * CROSSVM_INLINE_MORE, "ABI");

#endif
