/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one truth of everything that a guest, its host and its peers agree on: PCI identity, BARs,
 * registers, and the status page. Device, hosts, guest driver and library all include this file;
 * nobody repeats a number. docs/device.md explains it to people.
 *
 * All registers and fields are little-endian. Included by the Linux kernel too, so it uses nothing
 * but fixed-width integer types.
 *
 * Sources: PCI Local Bus Specification 3.0 (config space, MSI), and seL4's cross-VM device of
 * revision 1, whose registers at 0x00-0x37 keep their place and meaning.
 */
#if defined(CROSSVM_ABI_VERSION) && CROSSVM_ABI_VERSION != 2u
#error "crossvm/next/abi.h is included already: include one revision only"
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

#define CROSSVM_ABI_VERSION 2u
#define CROSSVM_ABI_MAGIC   0x324d5658u /* "XVM2" */

#define CROSSVM_PAGE_BYTES 4096u

/* PCI identity. Existing guest software binds to the events function by vendor and device. */
#define CROSSVM_PCI_VENDOR        0x1af4u
#define CROSSVM_PCI_DEVICE_EVENTS 0xa111u   /* registers and interrupt; in the single layout, all */
#define CROSSVM_PCI_DEVICE_MEMORY 0xa112u   /* status page and dataport */
#define CROSSVM_PCI_REVISION_1    1u        /* seL4's first device: registers 0x00-0x37 only */
#define CROSSVM_PCI_REVISION      2u        /* the extended registers, from 0x38, are there */
#define CROSSVM_PCI_CLASS         0x050000u /* memory controller, RAM */
/*
 * Subsystem vendor is CROSSVM_PCI_VENDOR and subsystem id the low 16 bits of the connection id, in
 * both functions, so that a pair is recognised from config space alone. Both functions of one
 * connection are in one slot.
 */

/*
 * BARs, split layout: the events function has one page of trapped registers; the memory function
 * has the status page, one page of plain memory, and the dataport, 64-bit prefetchable and absent
 * where there is no dataport.
 */
#define CROSSVM_BAR_REGISTERS 0u
#define CROSSVM_BAR_STATUS    0u
#define CROSSVM_BAR_DATAPORT  2u

/*
 * BARs, single layout (one function, for old guest software and for seL4): BAR0 is two pages, the
 * registers and, at CROSSVM_SINGLE_STATUS_OFFSET, the status page; BAR1 is the dataport, 32-bit
 * prefetchable.
 */
#define CROSSVM_SINGLE_BAR_DATAPORT  1u
#define CROSSVM_SINGLE_STATUS_OFFSET 0x1000u

/*
 * Registers in BAR0 of the events function, 32 bits each. An access of any width and offset acts on
 * every register that it touches, lowest first; the device defines a result for all of them.
 * Anything not listed reads as zero and ignores writes. Guests should use aligned 32-bit loads and
 * stores: hypervisors cannot emulate every instruction on trapped memory. Before the first access
 * after reset, INTx is not asserted (where the host sees reads).
 *
 * EMIT            w: any write emits one event to all other members
 * EVENT_COUNT     r: events not yet acknowledged, saturating at 2^32-1
 *                 w: any value acknowledges what the last read returned. Where the host maps the
 *                    page readable and so sees no reads, a count that is not 0 stands still
 *                    until a write acknowledges just that count
 * NAME            r: connection name, NUL-padded, always with a NUL
 * MAGIC           r: CROSSVM_ABI_MAGIC (it and all that follows: revision 2)
 * VERSION         r: CROSSVM_ABI_VERSION
 * FEATURES        r: CROSSVM_FEATURE_*
 * CONNECTION_ID   r: the same in both functions of a connection, never 0
 * MEMBER_ID       r: which member of the connection this VM is, from 0
 * MEMBER_COUNT    r: how many members the connection has
 * ACCESS          r: CROSSVM_ACCESS_* of this member
 * STATUS_OFFSET   r: of the status page in BAR0; 0: it is in the memory function
 * DATAPORT_BYTES  r: exact size, 64 bits in two registers, low half first
 * TOTAL_EVENTS    r: events since the device began, 64 bits in two registers, low half first;
 *                    reading the low half latches both (where the host sees reads; the status
 *                    page has the same number in one piece)
 * CONTROL         rw: CROSSVM_CONTROL_*; 0 after reset
 * PENDING         r: CROSSVM_PENDING_*, why INTx is asserted
 *                 w: acknowledges likewise
 */
#define CROSSVM_REG_EMIT           0x00u
#define CROSSVM_REG_EVENT_COUNT    0x04u
#define CROSSVM_REG_NAME           0x08u
#define CROSSVM_REG_MAGIC          0x38u
#define CROSSVM_REG_VERSION        0x3cu
#define CROSSVM_REG_FEATURES       0x40u
#define CROSSVM_REG_CONNECTION_ID  0x44u
#define CROSSVM_REG_MEMBER_ID      0x48u
#define CROSSVM_REG_MEMBER_COUNT   0x4cu
#define CROSSVM_REG_ACCESS         0x50u
#define CROSSVM_REG_STATUS_OFFSET  0x54u
#define CROSSVM_REG_DATAPORT_BYTES 0x58u
#define CROSSVM_REG_TOTAL_EVENTS   0x60u
#define CROSSVM_REG_CONTROL        0x68u
#define CROSSVM_REG_PENDING        0x6cu
#define CROSSVM_REG_END            0x70u

#define CROSSVM_NAME_BYTES 48u /* with the terminating NUL */
#define CROSSVM_NAME_MAX   (CROSSVM_NAME_BYTES - 1u)

#define CROSSVM_FEATURE_STATUS_PAGE 0x1u  /* there is a status page */
#define CROSSVM_FEATURE_PEERS       0x2u  /* peer states in it are kept up to date */
#define CROSSVM_FEATURE_DATAPORT    0x4u  /* there is a dataport */
#define CROSSVM_FEATURE_WRITERS     0x8u  /* the status page tells who may write the dataport */
#define CROSSVM_FEATURE_DOORBELL    0x10u /* there may be a doorbell function, see below */

#define CROSSVM_ACCESS_READ  0x1u /* the dataport may be read */
#define CROSSVM_ACCESS_WRITE 0x2u /* the dataport may be written */

/*
 * CONTROL: OPEN says that a guest process has the connection open, and peers see it; PEER_CHANGES
 * asks for an interrupt also when the status page's generation changes. DOORBELL says that the guest
 * takes events from its doorbell function, too; without CROSSVM_FEATURE_DOORBELL it stays 0.
 */
#define CROSSVM_CONTROL_OPEN         0x1u
#define CROSSVM_CONTROL_PEER_CHANGES 0x2u
#define CROSSVM_CONTROL_DOORBELL     0x4u

#define CROSSVM_PENDING_EVENTS 0x1u
#define CROSSVM_PENDING_PEERS  0x2u

/*
 * States of a member, as its peers see it. UNKNOWN: this host does not tell (no
 * CROSSVM_FEATURE_PEERS). ABSENT: VM not running, or component not there. PRESENT: attached, but
 * no process has the connection open. OPEN: a process has.
 */
#define CROSSVM_PEER_UNKNOWN 0u
#define CROSSVM_PEER_ABSENT  1u
#define CROSSVM_PEER_PRESENT 2u
#define CROSSVM_PEER_OPEN    3u

#define CROSSVM_MAX_MEMBERS 64u /* of one connection */

struct crossvm_peer_status {
	uint32_t state;       /* CROSSVM_PEER_* */
	uint32_t incarnation; /* plus one each time the state becomes CROSSVM_PEER_OPEN */
};

/*
 * The status page: the host writes it and never reads it, so nothing a guest stores there has any
 * effect outside that guest. total_events only grows, nobody clears it: no event can be lost. The
 * host stores with release order before it raises the interrupt; read with acquire.
 */
struct crossvm_status_page {
	uint32_t magic;         /* CROSSVM_ABI_MAGIC */
	uint32_t version;       /* CROSSVM_ABI_VERSION */
	uint32_t connection_id; /* as CROSSVM_REG_CONNECTION_ID */
	uint32_t member_id;
	uint32_t member_count;
	uint32_t access;   /* CROSSVM_ACCESS_* */
	uint32_t features; /* CROSSVM_FEATURE_* */
	uint32_t reserved0;
	uint64_t dataport_bytes;
	uint64_t writers; /* bit n: member n may write the dataport; 0: the host does not tell */
	uint64_t
		listeners; /* bit n: member n takes events from its doorbell function; may change */
	uint8_t reserved1[8];
	uint8_t name[CROSSVM_NAME_BYTES];
	uint8_t reserved2[16];
	uint64_t total_events; /* a cache line of its own */
	uint8_t reserved3[56];
	uint32_t generation; /* changes after any entry of peers[] has changed */
	uint8_t reserved4[60];
	struct crossvm_peer_status peers[CROSSVM_MAX_MEMBERS]; /* by member id, oneself included */
	uint8_t peer_names[CROSSVM_MAX_MEMBERS][CROSSVM_NAME_BYTES]; /* VM or component */
	uint8_t reserved5[256];
};

static_assert(sizeof(struct crossvm_peer_status) == 8, "peer status is two words");
static_assert(offsetof(struct crossvm_status_page, magic) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_status_page, version) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_status_page, connection_id) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_status_page, member_id) == 0x0c, "ABI");
static_assert(offsetof(struct crossvm_status_page, member_count) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_status_page, access) == 0x14, "ABI");
static_assert(offsetof(struct crossvm_status_page, features) == 0x18, "ABI");
static_assert(offsetof(struct crossvm_status_page, dataport_bytes) == 0x20, "ABI");
static_assert(offsetof(struct crossvm_status_page, writers) == 0x28, "ABI");
static_assert(offsetof(struct crossvm_status_page, listeners) == 0x30, "ABI");
static_assert(offsetof(struct crossvm_status_page, name) == 0x40, "ABI");
static_assert(CROSSVM_MAX_MEMBERS <= 64, "a bit for each member");
static_assert(offsetof(struct crossvm_status_page, total_events) == 0x80, "ABI");
static_assert(offsetof(struct crossvm_status_page, generation) == 0xc0, "ABI");
static_assert(offsetof(struct crossvm_status_page, peers) == 0x100, "ABI");
static_assert(offsetof(struct crossvm_status_page, peer_names) == 0x300, "ABI");
static_assert(sizeof(struct crossvm_status_page) == CROSSVM_PAGE_BYTES,
	      "the status page is a page");

/*
 * The doorbell, of a connection of two VMs: a third function in the slot of the other two, its number
 * the events function's plus CROSSVM_DOORBELL_FUNCTION, by which an event goes from one VM to the
 * other while nobody else runs. The device is QEMU's ivshmem-doorbell (source: docs/specs/ivshmem-spec
 * of QEMU), whose server is the host of the connection. Its position, CROSSVM_DOORBELL_POSITION(),
 * says to which connection and member it belongs; a store of CROSSVM_DOORBELL_RING() to its doorbell
 * register raises interrupt 0, by MSI-X, of the other member; its memory, BAR2, has a struct
 * crossvm_doorbell_page for each member by number. Both guests could write all of it; each writes its
 * own page, and nobody else reads or writes any.
 *
 * To emit while the status page says that the other member listens: add 1 to the own count, ring,
 * and look at `listeners` once more: if the other does not listen any more, emit by the register as
 * well, since nobody may have heard. While it does not listen, the register alone is right. Who
 * listens adds the other's count to total_events. A count only grows, and begins with the memory:
 * neither member's restart changes it.
 */
#define CROSSVM_DOORBELL_PCI_VENDOR    0x1af4u
#define CROSSVM_DOORBELL_PCI_DEVICE    0x1110u
#define CROSSVM_DOORBELL_PCI_REVISION  1u
#define CROSSVM_DOORBELL_FUNCTION      2u
#define CROSSVM_DOORBELL_BAR_REGISTERS 0u
#define CROSSVM_DOORBELL_BAR_PAGES     2u
#define CROSSVM_DOORBELL_REG_POSITION  0x08u /* r: 16 bits */
#define CROSSVM_DOORBELL_REG_RING      0x0cu /* w */
#define CROSSVM_DOORBELL_REG_END       0x10u
#define CROSSVM_DOORBELL_MEMBERS       2u

#define CROSSVM_DOORBELL_POSITION(connection_id, member_id) ((connection_id) << 1 | (member_id))
#define CROSSVM_DOORBELL_RING(position)                     (((position) ^ 1u) << 16)
#define CROSSVM_DOORBELL_MAX_CONNECTION_ID                  0x7fffu /* a position has 16 bits */

struct crossvm_doorbell_page {
	uint64_t emitted; /* by this member, with the doorbell */
	uint8_t reserved[CROSSVM_PAGE_BYTES - 8];
};

#define CROSSVM_DOORBELL_BYTES 8192u /* of BAR2 */

static_assert(sizeof(struct crossvm_doorbell_page) == CROSSVM_PAGE_BYTES, "a page");
static_assert(CROSSVM_DOORBELL_BYTES == CROSSVM_DOORBELL_MEMBERS * CROSSVM_PAGE_BYTES, "one each");

/*
 * Written to the device file of the Linux driver uio_crossvm, these 32 bits emit. Neither 0 nor 1, by
 * which programs for other UIO devices switch interrupts off and on.
 */
#define CROSSVM_UIO_EMIT 0x54494d45 /* "EMIT" */

/* Limits that both ends rely on. */
#define CROSSVM_MAX_DATAPORT_BYTES (1ull << 32) /* 4 GiB */
#define CROSSVM_MAX_CONNECTIONS    128u         /* of one VM; QEMU's slots take fewer, see host.h */

#endif
