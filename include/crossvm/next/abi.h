/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Revision 3 of the device: everything that a member of a connection, its host and its peers agree
 * on. docs/next/device.md is the specification; this file has its numbers, and nobody repeats one.
 *
 * Decided, not built yet. When the last part has moved to it, this file takes the place of
 * include/crossvm/abi.h.
 *
 * All registers and fields are little-endian and naturally aligned. A field has one writer. Fields
 * and bits that this file does not name are reserved: their writer stores zero, their reader
 * ignores them. The Linux kernel includes this file too, so it uses nothing but fixed-width
 * integers.
 */
#if defined(CROSSVM_ABI_VERSION) && CROSSVM_ABI_VERSION != 3u
#error "crossvm/abi.h of an older revision is included already: include one revision only"
#endif
#ifndef CROSSVM_ABI_H
#define CROSSVM_ABI_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#if !defined(__cplusplus) && __STDC_VERSION__ < 201112L
#define static_assert _Static_assert /* GNU C99, as libsel4vm's callers are built */
#endif
#endif

/*
 * The magic is that of revision 2, and stands where revision 2 has it, so that software for
 * revision 2 recognises the device, reads the version, and says which of the two must be updated.
 */
#define CROSSVM_ABI_VERSION 3u
#define CROSSVM_ABI_MAGIC   0x324d5658u /* "XVM2" */

#define CROSSVM_PAGE_BYTES 4096u

/* Limits that both ends rely on. */
#define CROSSVM_MAX_DATAPORT_BYTES (1ull << 32) /* 4 GiB */
#define CROSSVM_MAX_MEMBERS        64u          /* places for members in one connection */
#define CROSSVM_MAX_CONNECTIONS    4096u        /* of one system */
#define CROSSVM_MAX_VM_CONNECTIONS 1024u        /* of one VM */
#define CROSSVM_MAX_PLACE          32767u       /* see CROSSVM_REG_PLACE */
#define CROSSVM_MAX_SEATS          32u          /* of one member, see struct crossvm_counts */
#define CROSSVM_MAX_RINGS          64u /* of one connection, see struct crossvm_ring_plan */

#define CROSSVM_NAME_BYTES 48u /* with the terminating NUL */
#define CROSSVM_NAME_MAX   (CROSSVM_NAME_BYTES - 1u)
#define CROSSVM_HINT_BYTES 64u /* with the terminating NUL */

/* PCI identity. */

#define CROSSVM_PCI_VENDOR        0x1af4u
#define CROSSVM_PCI_DEVICE_EVENTS 0xa111u   /* registers and interrupt; in the single layout, all */
#define CROSSVM_PCI_DEVICE_MEMORY 0xa112u   /* member memory and dataport */
#define CROSSVM_PCI_REVISION_1    1u        /* seL4's first device: registers 0x00-0x37 only */
#define CROSSVM_PCI_REVISION      3u        /* 2 was never released and is not served any more */
#define CROSSVM_PCI_CLASS         0x050000u /* memory controller, RAM */
/*
 * Subsystem vendor is CROSSVM_PCI_VENDOR and subsystem id is the place of the connection in its VM,
 * in all functions of the connection. Equal places make a pair.
 */

/*
 * Member memory: CROSSVM_MEMBER_MEMORY_BYTES that belong to one member alone, on every transport.
 * The host's two pages come first, then the member's page. What follows up to the size of a BAR
 * reads as zero.
 */
#define CROSSVM_HOST_PAGES_BYTES    0x2000u
#define CROSSVM_MEMBER_PAGE_OFFSET  0x2000u
#define CROSSVM_MEMBER_MEMORY_BYTES 0x3000u
#define CROSSVM_MEMBER_BAR_BYTES    0x4000u /* of a BAR that has nothing but member memory */

/*
 * BARs, split layout: the events function has one page of registers, which trap; the memory
 * function has the member memory and the dataport, 64-bit prefetchable and absent if there is no
 * dataport.
 */
#define CROSSVM_BAR_REGISTERS 0u
#define CROSSVM_BAR_MEMBER    0u
#define CROSSVM_BAR_DATAPORT  2u

/*
 * BARs, single layout (one function, for seL4 and for software of revision 1): BAR0 is the page of
 * registers and then the member memory. The dataport is the next BAR: BAR1 if BAR0 is a 32-bit BAR,
 * BAR2 if BAR0 is a 64-bit BAR.
 */
#define CROSSVM_SINGLE_BAR_DATAPORT    1u
#define CROSSVM_SINGLE_BAR_DATAPORT_64 2u
#define CROSSVM_SINGLE_MEMBER_OFFSET   0x1000u

/*
 * Registers, 32 bits each, in the first page of BAR0 of the events function. An access of any width
 * and offset acts on every register that it touches, lowest first. Anything not listed reads as
 * zero and ignores writes. Guests use aligned 32-bit loads and stores. Registers 0x00 to 0x37 are
 * those of revision 1 and act as revision 1 says.
 *
 * EMIT            w: any write emits one event; the host counts it (revision 1)
 * EVENT_COUNT     r: events not yet acknowledged, saturating at 2^32-1 (revision 1)
 *                 w: any value acknowledges what the last read returned
 * NAME            r: connection name, NUL-padded, always with a NUL (revision 1)
 * MAGIC           r: CROSSVM_ABI_MAGIC
 * VERSION         r: CROSSVM_ABI_VERSION
 * FEATURES        r: CROSSVM_FEATURE_*: a driver ignores bits that it does not know
 * CONNECTION_ID   r: never 0, kept for the life of the connection's name
 * MEMBER_ID       r: which member of the connection this VM is, 0 to 63
 * PLACE           r: which of its VM's connections this is, 1 to CROSSVM_MAX_PLACE
 * ACCESS          r: CROSSVM_ACCESS_* of this member
 * MEMBER_OFFSET   r: of the member memory in BAR0; 0: it is in the memory function
 * DATAPORT_BYTES  r: exact size, 64 bits in two registers, low half first
 * REQUIRED        r: CROSSVM_FEATURE_*: a driver refuses the device if it does not know a set bit
 * KICK            w: any write asks the host to look at the member's page
 * HINT            r: which driver to install, a text for people, NUL-padded, always with a NUL
 */
#define CROSSVM_REG_EMIT           0x00u
#define CROSSVM_REG_EVENT_COUNT    0x04u
#define CROSSVM_REG_NAME           0x08u
#define CROSSVM_REG_MAGIC          0x38u
#define CROSSVM_REG_VERSION        0x3cu
#define CROSSVM_REG_FEATURES       0x40u
#define CROSSVM_REG_CONNECTION_ID  0x44u
#define CROSSVM_REG_MEMBER_ID      0x48u
#define CROSSVM_REG_PLACE          0x4cu
#define CROSSVM_REG_ACCESS         0x50u
#define CROSSVM_REG_MEMBER_OFFSET  0x54u
#define CROSSVM_REG_DATAPORT_BYTES 0x58u
#define CROSSVM_REG_REQUIRED       0x60u
#define CROSSVM_REG_KICK           0x70u
#define CROSSVM_REG_HINT           0x80u
#define CROSSVM_REG_END            0xc0u

#define CROSSVM_FEATURE_DATAPORT 0x01u /* there is a dataport */
#define CROSSVM_FEATURE_PEERS    0x02u /* the host keeps peers[] up to date */
#define CROSSVM_FEATURE_WRITERS  0x04u /* the host tells who may write the dataport */
#define CROSSVM_FEATURE_PLAN     0x08u /* the host tells how channels divide the dataport */
#define CROSSVM_FEATURE_DIRECT   0x10u /* two members, counted in direct pages, see below */
#define CROSSVM_FEATURE_ECHO     0x20u /* the host answers crossvm_member_page.probe */
#define CROSSVM_FEATURE_MEMBER   0x40u /* the host knows which member this is */

#define CROSSVM_ACCESS_READ  0x1u /* the dataport may be read */
#define CROSSVM_ACCESS_WRITE 0x2u /* the dataport may be written */

/* Claims: who takes part. A half has at most one holder in a member. */

#define CROSSVM_HALF_SEND    0u
#define CROSSVM_HALF_RECEIVE 1u
#define CROSSVM_HALVES       2u

/*
 * A claim is one 64-bit word, stored and loaded as one.
 *
 * SEAT         whose counts belong to the holder, see struct crossvm_counts
 * HELD         somebody holds the half
 * GUARDED      a kernel or a daemon ends the claim when its holder dies
 * INCARNATION  bits 32 to 63: plus one, never 0, each time that HELD becomes set
 */
#define CROSSVM_CLAIM_SEAT_MASK         0xffull
#define CROSSVM_CLAIM_HELD              0x100ull
#define CROSSVM_CLAIM_GUARDED           0x200ull
#define CROSSVM_CLAIM_INCARNATION_SHIFT 32

/*
 * The life of a member as its peers see it: one 64-bit word, stored and loaded as one.
 *
 * STATE        CROSSVM_STATE_*
 * COMPONENT    the member is a process on the host, not a VM
 * PROXY        the member lives on another host; the member VIA stands for it
 * ACCESS       CROSSVM_ACCESS_*
 * INCARNATION  bits 32 to 63: plus one each time that STATE becomes CROSSVM_STATE_PRESENT
 */
#define CROSSVM_LIFE_STATE_MASK        0xffull
#define CROSSVM_LIFE_COMPONENT         0x100ull
#define CROSSVM_LIFE_PROXY             0x200ull
#define CROSSVM_LIFE_ACCESS_SHIFT      16
#define CROSSVM_LIFE_ACCESS_MASK       0xffull
#define CROSSVM_LIFE_VIA_SHIFT         24
#define CROSSVM_LIFE_VIA_MASK          0xffull
#define CROSSVM_LIFE_INCARNATION_SHIFT 32

/*
 * UNKNOWN: this host does not tell (no CROSSVM_FEATURE_PEERS), or there never was such a member.
 * ABSENT: nobody is there. ATTACHED: the VM is there, but no driver has begun a session. PRESENT: a
 * driver has, or a process of the component has the connection open. GONE: the member was removed.
 */
#define CROSSVM_STATE_UNKNOWN  0u
#define CROSSVM_STATE_ABSENT   1u
#define CROSSVM_STATE_ATTACHED 2u
#define CROSSVM_STATE_PRESENT  3u
#define CROSSVM_STATE_GONE     4u

struct crossvm_peer {
	uint64_t life;                  /* CROSSVM_LIFE_* */
	uint64_t claim[CROSSVM_HALVES]; /* CROSSVM_CLAIM_* */
	uint32_t serial;                /* whose place this is; odd: the host is changing it */
	uint32_t reserved;
};

/*
 * How channels divide the dataport: one entry a ring or register, see abi_channel.h. The host fills
 * it in; it is the only truth about the division that a member may believe.
 */
#define CROSSVM_PLAN_NONE      0u    /* no ring here */
#define CROSSVM_PLAN_QUEUE     1u    /* one sender, one receiver */
#define CROSSVM_PLAN_BROADCAST 2u    /* one sender, all other members read */
#define CROSSVM_PLAN_REGISTER  3u    /* a latest value: one sender, all other members read */
#define CROSSVM_PLAN_NOBODY    0xffu /* as sender or receiver: the place is free */
#define CROSSVM_PLAN_ALL       0xfeu /* as receiver: every other member */

struct crossvm_ring_plan {
	uint8_t sender;   /* member id, or CROSSVM_PLAN_NOBODY */
	uint8_t receiver; /* member id, CROSSVM_PLAN_ALL or CROSSVM_PLAN_NOBODY */
	uint8_t kind;     /* CROSSVM_PLAN_* */
	uint8_t slots_log2; /* of a ring: logarithm of its number of slots; of a register: of values */
	uint32_t serial;    /* changes with the entry; odd: the host is changing it */
	uint32_t first_line; /* offset in the dataport, in units of 64 bytes */
	uint32_t lines;      /* size, in units of 64 bytes */
};

/*
 * Why a connection has ended for this member. REMOVED: it, or the member, was taken out of the
 * system. REPLACED: it has a new dataport; open it again. HOST: the host has left. STAND_IN: this
 * is the page that the driver gives to processes whose device was taken away. Anything but 0 is
 * -ENODEV, and HOST is -EPIPE.
 */
#define CROSSVM_GONE_NOT      0u
#define CROSSVM_GONE_REMOVED  1u
#define CROSSVM_GONE_REPLACED 2u
#define CROSSVM_GONE_HOST     3u
#define CROSSVM_GONE_STAND_IN 4u

/*
 * The host's two pages. The host alone writes them and never acts on what it finds there: what a
 * guest stores there deceives that guest and nobody else. Each 64-bit field is stored and loaded as one.
 */
struct crossvm_host_page {
	/* Constant while the device is there. */
	uint32_t magic;         /* CROSSVM_ABI_MAGIC; here in every revision */
	uint32_t version;       /* CROSSVM_ABI_VERSION; here in every revision */
	uint32_t host_bytes;    /* how long these pages are: CROSSVM_HOST_PAGES_BYTES or more */
	uint32_t member_offset; /* of struct crossvm_member_page from here */
	uint32_t features;      /* as CROSSVM_REG_FEATURES */
	uint32_t required;      /* as CROSSVM_REG_REQUIRED */
	uint32_t connection_id; /* as CROSSVM_REG_CONNECTION_ID */
	uint32_t member_id;
	uint32_t place;
	uint32_t access; /* CROSSVM_ACCESS_* */
	uint64_t dataport_bytes;
	uint64_t direct_offset; /* of the direct pages from the dataport's beginning */
	uint32_t direct_page;   /* which of the direct pages is this member's: 0 or 1 */
	uint32_t reserved0;
	uint8_t name[CROSSVM_NAME_BYTES]; /* of the connection */
	uint8_t reserved1[16];
	uint8_t hint[CROSSVM_HINT_BYTES]; /* as CROSSVM_REG_HINT; here from revision 3 on */
	uint8_t reserved2[64];

	/* A cache line of its own. */
	uint64_t total_events; /* that others have emitted: only grows, nobody clears it */
	uint8_t reserved3[56];

	/* What changes rarely, in one cache line. */
	uint32_t generation; /* changes after anything in these pages but total_events and echo */
	uint32_t gone;       /* CROSSVM_GONE_* */
	uint32_t session;    /* plus one each time that the member attaches or is reset; never 0 */
	uint32_t echo;       /* the probe of the last look at the member's page */
	uint64_t members;    /* bit n: place n has a member */
	uint64_t writers;    /* bit n: member n may write the dataport */
	uint64_t
		former_writers; /* bit n: a removed member n may still have it mapped for writing */
	uint8_t reserved4[24];
	uint8_t reserved5[640];

	struct crossvm_peer peers[CROSSVM_MAX_MEMBERS]; /* by member id, oneself included */
	struct crossvm_ring_plan plan[CROSSVM_MAX_RINGS];
	uint8_t peer_names[CROSSVM_MAX_MEMBERS][CROSSVM_NAME_BYTES]; /* VM or component */
	uint8_t reserved6[1024];
};

/*
 * Counts of events. A seat belongs to one open file of a member at a time, from its open to its
 * release. Each of its words has one writer, which only ever adds: a release fence, a plain store
 * of the new count, a kick. The next owner of the seat goes on from what it finds. Seat 0 is the
 * driver's.
 *
 * The sum of all words of a member is how many events it has emitted. A host keeps, for each word,
 * the largest value that it has seen; a value that is not larger is no news. A reader of a direct
 * page adds the words up as they are; a sum that goes back is -EPROTO.
 *
 * EMIT is for all other members, SEND for the receivers of the member's rings, RECEIVE for the
 * senders of the rings that the member receives: a host counts each for all, and wakes those only.
 */
#define CROSSVM_COUNT_EMIT    0u /* written by any thread that has the seat, see device.md */
#define CROSSVM_COUNT_SEND    1u /* written by the holder of the sending half alone */
#define CROSSVM_COUNT_RECEIVE 2u /* written by the holder of the receiving half alone */
#define CROSSVM_COUNTS        3u

/*
 * No word is believed from here on: at a million events a second that is 35 years. So a sum of all
 * words of all members stays below 2^63, and no member can make a total of others go back.
 */
#define CROSSVM_COUNT_LIMIT (1ull << 50)

struct crossvm_seat {
	uint64_t emitted[CROSSVM_COUNTS];
	uint64_t reserved[5];
};

struct crossvm_counts {
	uint32_t seats_used; /* seats from this on were never used: only grows */
	uint32_t reserved[15];
	struct crossvm_seat seats[CROSSVM_MAX_SEATS];
};

/*
 * CONTROL: PEER_CHANGES asks for an interrupt also when the generation changes; INTX says that the
 * member answers INTx or a level interrupt by acked_total and acked_generation. A host ignores bits
 * that it does not know.
 */
#define CROSSVM_CONTROL_PEER_CHANGES 0x1u
#define CROSSVM_CONTROL_INTX         0x2u

/*
 * The member's page. The member alone writes it; only the host reads it. The host believes nothing
 * of it but this member's own doings: its counts at any time, and all else only while the session
 * here is that of the host's page.
 */
struct crossvm_member_page {
	uint32_t magic;    /* CROSSVM_ABI_MAGIC */
	uint32_t version;  /* that the member speaks: CROSSVM_ABI_VERSION */
	uint32_t session;  /* stored last, with release order, when the member begins */
	uint32_t control;  /* CROSSVM_CONTROL_* */
	uint32_t features; /* CROSSVM_FEATURE_* that the member uses */
	uint32_t probe;    /* any new value: the host copies it to echo after its next look */
	uint32_t acked_generation; /* the generation that the interrupt handler has seen */
	uint32_t reserved0;
	uint64_t acked_total;           /* the total that the interrupt handler has seen */
	uint64_t claim[CROSSVM_HALVES]; /* CROSSVM_CLAIM_* */
	uint64_t reserved1;
	struct crossvm_counts counts; /* unless CROSSVM_FEATURE_DIRECT */
	uint8_t reserved2[1920];
};

/*
 * Direct pages, for a connection of two members with CROSSVM_FEATURE_DIRECT: behind the dataport,
 * at direct_offset, one page for each. The one that direct_page names is this member's, and takes
 * the place of the counts in the member's page. The other member reads it, and could write it too:
 * that deceives only itself.
 */
struct crossvm_direct_page {
	uint32_t
		magic; /* CROSSVM_ABI_MAGIC, stored by its owner; for people, nobody relies on it */
	uint32_t reserved0[15];
	struct crossvm_counts counts;
	uint8_t reserved1[1920];
};
#define CROSSVM_DIRECT_MEMBERS 2u
#define CROSSVM_DIRECT_BYTES   0x2000u

/*
 * Transport by QEMU's ivshmem-doorbell (docs/specs/ivshmem-spec of QEMU). A connection is two such
 * devices. BAR2 of the private one is the member memory, of CROSSVM_MEMBER_BAR_BYTES; BAR2 of the
 * shared one is the dataport, with the direct pages if there are any, padded to a power of two. The
 * shared one is absent if there is neither. Each has a server of its own, so that its position and
 * the numbers of its peers mean nothing outside of it.
 */
#define CROSSVM_IVSHMEM_PCI_VENDOR    0x1af4u
#define CROSSVM_IVSHMEM_PCI_DEVICE    0x1110u
#define CROSSVM_IVSHMEM_PCI_REVISION  1u
#define CROSSVM_IVSHMEM_BAR_REGISTERS 0u
#define CROSSVM_IVSHMEM_BAR_MEMORY    2u
#define CROSSVM_IVSHMEM_REG_POSITION  0x08u /* r */
#define CROSSVM_IVSHMEM_REG_RING      0x0cu /* w */
#define CROSSVM_IVSHMEM_REG_END       0x10u

#define CROSSVM_IVSHMEM_PRIVATE                0u
#define CROSSVM_IVSHMEM_SHARED                 1u
#define CROSSVM_IVSHMEM_POSITION(place, which) ((place) << 1 | (which))

/* Peers of the private device, and its two vectors. */
#define CROSSVM_IVSHMEM_PEER_HOST          0u
#define CROSSVM_IVSHMEM_PEER_DIRECT        1u
#define CROSSVM_IVSHMEM_VECTOR_HOST        0u
#define CROSSVM_IVSHMEM_VECTOR_DIRECT      1u
#define CROSSVM_IVSHMEM_VECTORS            2u
#define CROSSVM_IVSHMEM_RING(peer, vector) ((peer) << 16 | (vector))

/* Kicks: to the host, and to the other member of a direct connection. */
#define CROSSVM_IVSHMEM_KICK_HOST \
	CROSSVM_IVSHMEM_RING(CROSSVM_IVSHMEM_PEER_HOST, CROSSVM_IVSHMEM_VECTOR_HOST)
#define CROSSVM_IVSHMEM_KICK_DIRECT CROSSVM_IVSHMEM_RING(CROSSVM_IVSHMEM_PEER_DIRECT, 0u)

/*
 * Transport by a platform device of a device tree. reg and reg-names give the registers, the member
 * memory and the dataport; interrupts gives one interrupt, edge or level.
 */
#define CROSSVM_DT_COMPATIBLE    "crossvm,connection-3"
#define CROSSVM_DT_REG_REGISTERS "registers"
#define CROSSVM_DT_REG_MEMBER    "member"
#define CROSSVM_DT_REG_DATAPORT  "dataport"

/* What the words above contain. */

#define CROSSVM_CLAIM_SEAT(word)        ((uint32_t)((word)&CROSSVM_CLAIM_SEAT_MASK))
#define CROSSVM_CLAIM_INCARNATION(word) ((uint32_t)((word) >> CROSSVM_CLAIM_INCARNATION_SHIFT))
#define CROSSVM_LIFE_STATE(word)        ((uint32_t)((word)&CROSSVM_LIFE_STATE_MASK))
#define CROSSVM_LIFE_ACCESS(word) \
	((uint32_t)((word) >> CROSSVM_LIFE_ACCESS_SHIFT & CROSSVM_LIFE_ACCESS_MASK))
#define CROSSVM_LIFE_VIA(word) \
	((uint32_t)((word) >> CROSSVM_LIFE_VIA_SHIFT & CROSSVM_LIFE_VIA_MASK))
#define CROSSVM_LIFE_INCARNATION(word) ((uint32_t)((word) >> CROSSVM_LIFE_INCARNATION_SHIFT))

/* The incarnation after one: never 0. */
static inline uint32_t crossvm_next_incarnation(uint32_t incarnation)
{
	return incarnation + 1u == 0u ? 1u : incarnation + 1u;
}

/* The claim word of a new holder, after the word that stood there. */
static inline uint64_t crossvm_claim_taken(uint64_t before, uint32_t seat, uint64_t flags)
{
	uint64_t next = crossvm_next_incarnation(CROSSVM_CLAIM_INCARNATION(before));

	return next << CROSSVM_CLAIM_INCARNATION_SHIFT | CROSSVM_CLAIM_HELD | flags |
	       (seat & CROSSVM_CLAIM_SEAT_MASK);
}

/* The claim word after its holder has left: the incarnation stays. */
static inline uint64_t crossvm_claim_left(uint64_t before)
{
	return before & ~(CROSSVM_CLAIM_HELD | CROSSVM_CLAIM_GUARDED | CROSSVM_CLAIM_SEAT_MASK);
}

/* How many events a word adds to what a host has seen of it: 0 if it is not larger, or too large. */
static inline uint64_t crossvm_count_news(uint64_t seen, uint64_t now)
{
	return now <= seen || now >= CROSSVM_COUNT_LIMIT ? 0 : now - seen;
}

/* Every field has its place: a compiler that disagrees cannot build this. */
static_assert(offsetof(struct crossvm_peer, life) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_peer, claim) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_peer, serial) == 0x18, "ABI");
static_assert(offsetof(struct crossvm_peer, reserved) == 0x1c, "ABI");
static_assert(sizeof(struct crossvm_peer) == 0x20, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, sender) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, receiver) == 0x01, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, kind) == 0x02, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, slots_log2) == 0x03, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, serial) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, first_line) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_ring_plan, lines) == 0x0c, "ABI");
static_assert(sizeof(struct crossvm_ring_plan) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_host_page, magic) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_host_page, version) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_host_page, host_bytes) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_host_page, member_offset) == 0x0c, "ABI");
static_assert(offsetof(struct crossvm_host_page, features) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_host_page, required) == 0x14, "ABI");
static_assert(offsetof(struct crossvm_host_page, connection_id) == 0x18, "ABI");
static_assert(offsetof(struct crossvm_host_page, member_id) == 0x1c, "ABI");
static_assert(offsetof(struct crossvm_host_page, place) == 0x20, "ABI");
static_assert(offsetof(struct crossvm_host_page, access) == 0x24, "ABI");
static_assert(offsetof(struct crossvm_host_page, dataport_bytes) == 0x28, "ABI");
static_assert(offsetof(struct crossvm_host_page, direct_offset) == 0x30, "ABI");
static_assert(offsetof(struct crossvm_host_page, direct_page) == 0x38, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved0) == 0x3c, "ABI");
static_assert(offsetof(struct crossvm_host_page, name) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved1) == 0x70, "ABI");
static_assert(offsetof(struct crossvm_host_page, hint) == 0x80, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved2) == 0xc0, "ABI");
static_assert(offsetof(struct crossvm_host_page, total_events) == 0x100, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved3) == 0x108, "ABI");
static_assert(offsetof(struct crossvm_host_page, generation) == 0x140, "ABI");
static_assert(offsetof(struct crossvm_host_page, gone) == 0x144, "ABI");
static_assert(offsetof(struct crossvm_host_page, session) == 0x148, "ABI");
static_assert(offsetof(struct crossvm_host_page, echo) == 0x14c, "ABI");
static_assert(offsetof(struct crossvm_host_page, members) == 0x150, "ABI");
static_assert(offsetof(struct crossvm_host_page, writers) == 0x158, "ABI");
static_assert(offsetof(struct crossvm_host_page, former_writers) == 0x160, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved4) == 0x168, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved5) == 0x180, "ABI");
static_assert(offsetof(struct crossvm_host_page, peers) == 0x400, "ABI");
static_assert(offsetof(struct crossvm_host_page, plan) == 0xc00, "ABI");
static_assert(offsetof(struct crossvm_host_page, peer_names) == 0x1000, "ABI");
static_assert(offsetof(struct crossvm_host_page, reserved6) == 0x1c00, "ABI");
static_assert(sizeof(struct crossvm_host_page) == 0x2000, "ABI");
static_assert(offsetof(struct crossvm_seat, emitted) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_seat, reserved) == 0x18, "ABI");
static_assert(sizeof(struct crossvm_seat) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_counts, seats_used) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_counts, reserved) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_counts, seats) == 0x40, "ABI");
static_assert(sizeof(struct crossvm_counts) == 0x840, "ABI");
static_assert(offsetof(struct crossvm_member_page, magic) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_member_page, version) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_member_page, session) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_member_page, control) == 0x0c, "ABI");
static_assert(offsetof(struct crossvm_member_page, features) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_member_page, probe) == 0x14, "ABI");
static_assert(offsetof(struct crossvm_member_page, acked_generation) == 0x18, "ABI");
static_assert(offsetof(struct crossvm_member_page, reserved0) == 0x1c, "ABI");
static_assert(offsetof(struct crossvm_member_page, acked_total) == 0x20, "ABI");
static_assert(offsetof(struct crossvm_member_page, claim) == 0x28, "ABI");
static_assert(offsetof(struct crossvm_member_page, reserved1) == 0x38, "ABI");
static_assert(offsetof(struct crossvm_member_page, counts) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_member_page, reserved2) == 0x880, "ABI");
static_assert(sizeof(struct crossvm_member_page) == 0x1000, "ABI");
static_assert(offsetof(struct crossvm_direct_page, magic) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_direct_page, reserved0) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_direct_page, counts) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_direct_page, reserved1) == 0x880, "ABI");
static_assert(sizeof(struct crossvm_direct_page) == 0x1000, "ABI");

static_assert(CROSSVM_MEMBER_PAGE_OFFSET == CROSSVM_HOST_PAGES_BYTES, "ABI");
static_assert(sizeof(struct crossvm_host_page) == CROSSVM_HOST_PAGES_BYTES, "ABI");
static_assert(sizeof(struct crossvm_member_page) == CROSSVM_PAGE_BYTES, "ABI");
static_assert(sizeof(struct crossvm_direct_page) == CROSSVM_PAGE_BYTES, "ABI");
static_assert(CROSSVM_DIRECT_BYTES == CROSSVM_DIRECT_MEMBERS * CROSSVM_PAGE_BYTES, "ABI");
static_assert(CROSSVM_HOST_PAGES_BYTES + CROSSVM_PAGE_BYTES == CROSSVM_MEMBER_MEMORY_BYTES, "ABI");
static_assert(CROSSVM_SINGLE_MEMBER_OFFSET + CROSSVM_MEMBER_MEMORY_BYTES == 0x4000u, "ABI");
static_assert(CROSSVM_MAX_MEMBERS <= 64, "a bit for each member");
static_assert(CROSSVM_COUNT_LIMIT * CROSSVM_MAX_MEMBERS * CROSSVM_MAX_SEATS * CROSSVM_COUNTS <
		      1ull << 63,
	      "no sum goes back");
static_assert(CROSSVM_IVSHMEM_POSITION(CROSSVM_MAX_PLACE, 1u) <= 0xffffu, "a position has 16 bits");

#endif
