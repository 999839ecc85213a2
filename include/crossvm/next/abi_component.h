/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Version 2 of the ABI between a component and crossvmd: messages on the daemon's component socket,
 * a Unix socket of type SOCK_SEQPACKET, and the memory and descriptors that they hand over.
 * docs/next/components.md is the specification.
 *
 * Decided, not built yet. When the last part has moved to it, this file takes the place of
 * include/crossvm/abi_component.h.
 *
 * Integers are in host byte order. The first eight bytes of a header are the same in all versions.
 *
 * Messages can grow: 'bytes' in the header is how long the sender's message is. A receiver that
 * knows a longer one takes what is missing for zeros; one that knows a shorter one refuses the
 * message if a byte behind what it knows is not zero. A bit that the daemon does not know is
 * refused (-EOPNOTSUPP) in 'required' and 'flags', and ignored in 'wanted'.
 */
#if defined(CROSSVM_COMPONENT_VERSION) && CROSSVM_COMPONENT_VERSION != 2u
#error "crossvm/abi_component.h of an older version is included already: include one version only"
#endif
#ifndef CROSSVM_ABI_COMPONENT_H
#define CROSSVM_ABI_COMPONENT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/next/abi.h>

#define CROSSVM_COMPONENT_VERSION 2u
#define CROSSVM_COMPONENT_MAGIC   0x434d5658u /* "XVMC" */

/*
 * In the daemon's socket directory, and that directory unless the daemon is told another; the
 * default of a daemon that an ordinary user starts is $XDG_RUNTIME_DIR/crossvm.
 */
#define CROSSVM_COMPONENT_SOCKET_NAME "component.socket"
#define CROSSVM_COMPONENT_SOCKET_DIR  "/run/crossvm"

/* No message is longer. A receive of this many bytes takes every message whole. */
#define CROSSVM_COMPONENT_MAX_BYTES 4096u

enum crossvm_component_type {
	CROSSVM_COMPONENT_OPEN = 1,
	CROSSVM_COMPONENT_LIST = 2,
	CROSSVM_COMPONENT_CLAIM = 3,
	CROSSVM_COMPONENT_RELEASE = 4,
	CROSSVM_COMPONENT_PROXY = 5,
	CROSSVM_COMPONENT_OPENED = 0x101,
	CROSSVM_COMPONENT_ENTRY = 0x102,
	CROSSVM_COMPONENT_FAILED = 0x103,
	CROSSVM_COMPONENT_CLAIMED = 0x104,
	CROSSVM_COMPONENT_RELEASED = 0x105,
};

struct crossvm_component_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;  /* enum crossvm_component_type */
	uint32_t bytes; /* of the whole message, this header included */
	uint32_t reserved;
};

/*
 * OPEN: open a connection as a member. Answered by OPENED, or by FAILED.
 *
 * OBSERVE: only look: no member's page, no claims, and peers do not see it. PROXY: stand for a
 * member of another host, which the system file lets this process do.
 */
#define CROSSVM_COMPONENT_OBSERVE   0x1u
#define CROSSVM_COMPONENT_PROXY_FOR 0x2u

struct crossvm_component_open {
	struct crossvm_component_header header;
	char connection[CROSSVM_NAME_BYTES]; /* with NUL */
	char component[CROSSVM_NAME_BYTES];  /* "": the only one that this process may be */
	uint32_t access;                     /* CROSSVM_ACCESS_*; 0: without the dataport */
	uint32_t flags;
	uint32_t wanted;   /* CROSSVM_FEATURE_* that the component can make use of */
	uint32_t required; /* CROSSVM_FEATURE_* without which it does not want to open */
};

/*
 * Descriptors that come with OPENED (SCM_RIGHTS), in the order of these bits, as far as set.
 *
 * HOST    the member's struct crossvm_host_page, read-only, sealed
 * PAGE    a struct crossvm_member_page of this open alone, to be written; only the seat that OPENED
 *         names is believed. It is sealed against shrinking
 * WAKE    an eventfd: readable after an event, a change of generation, or a change of gone
 * KICK    an eventfd: a write of 1 asks the daemon to look at PAGE
 * DATAPORT  its memory, with the direct pages if there are any; read-only if opened so; sealed
 *         against shrinking
 * DIRECT_WAKE  an eventfd that the other member of a direct connection writes
 * DIRECT_KICK  the eventfd that wakes the other member of a direct connection
 */
#define CROSSVM_COMPONENT_FD_HOST        0x01u
#define CROSSVM_COMPONENT_FD_PAGE        0x02u
#define CROSSVM_COMPONENT_FD_WAKE        0x04u
#define CROSSVM_COMPONENT_FD_KICK        0x08u
#define CROSSVM_COMPONENT_FD_DATAPORT    0x10u
#define CROSSVM_COMPONENT_FD_DIRECT_WAKE 0x20u
#define CROSSVM_COMPONENT_FD_DIRECT_KICK 0x40u
#define CROSSVM_COMPONENT_FDS            7u /* at most */

/* OPENED and ENTRY. After the last ENTRY of an answer comes one with an empty name. */
struct crossvm_component_entry {
	struct crossvm_component_header header;
	char connection[CROSSVM_NAME_BYTES];
	char component[CROSSVM_NAME_BYTES];
	uint32_t member_access; /* CROSSVM_ACCESS_* */
	uint32_t features;      /* CROSSVM_FEATURE_* */
	uint32_t connection_id;
	uint32_t member_id;
	uint32_t fds;  /* CROSSVM_COMPONENT_FD_*; ENTRY: 0 */
	uint32_t seat; /* of this open, for its counts; ENTRY: 0 */
	uint64_t dataport_bytes;
	uint64_t direct_offset; /* of the direct pages in DATAPORT; 0: none */
};

/*
 * LIST: the members that this process may be, by connection id. Answered by ENTRYs. The answer ends
 * after the connection with which it has reached CROSSVM_COMPONENT_ENTRIES; ask again for the rest.
 */
struct crossvm_component_list {
	struct crossvm_component_header header;
	char component[CROSSVM_NAME_BYTES]; /* "": all */
	uint32_t after_connection;          /* ids greater than this; 0: from the beginning */
	uint32_t flags;                     /* 0 */
};
#define CROSSVM_COMPONENT_ENTRIES 64u

/* CLAIM and RELEASE, and their answers CLAIMED and RELEASED. */
#define CROSSVM_COMPONENT_CLAIM_SEND    0x1u
#define CROSSVM_COMPONENT_CLAIM_RECEIVE 0x2u

struct crossvm_component_claim {
	struct crossvm_component_header header;
	uint32_t halves; /* CROSSVM_COMPONENT_CLAIM_*: all of them, or FAILED and none */
	uint32_t flags;  /* 0 */
	uint32_t incarnation[CROSSVM_HALVES]; /* CLAIMED: of each half; otherwise 0 */
};

/*
 * PROXY: how the member is that this open stands for. No answer; the latest one holds. A token is
 * any number that changes when the member over there begins anew (life) or when the half over there
 * gets another holder (claim); 0: not there, not held.
 */
struct crossvm_component_proxy {
	struct crossvm_component_header header;
	uint64_t life_token;
	uint64_t claim_token[CROSSVM_HALVES];
};

/* FAILED. As long as in version 1. */
struct crossvm_component_failure {
	struct crossvm_component_header header;
	int32_t error;       /* -errno */
	uint32_t holder_pid; /* -EBUSY of a claim: who holds it; 0: not known */
	char message[240];   /* a sentence, with NUL */
};

/* Every field has its place: a compiler that disagrees cannot build this. */
static_assert(offsetof(struct crossvm_component_header, magic) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_header, version) == 0x04, "ABI");
static_assert(offsetof(struct crossvm_component_header, type) == 0x06, "ABI");
static_assert(offsetof(struct crossvm_component_header, bytes) == 0x08, "ABI");
static_assert(offsetof(struct crossvm_component_header, reserved) == 0x0c, "ABI");
static_assert(sizeof(struct crossvm_component_header) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_open, header) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_open, connection) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_open, component) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_component_open, access) == 0x70, "ABI");
static_assert(offsetof(struct crossvm_component_open, flags) == 0x74, "ABI");
static_assert(offsetof(struct crossvm_component_open, wanted) == 0x78, "ABI");
static_assert(offsetof(struct crossvm_component_open, required) == 0x7c, "ABI");
static_assert(sizeof(struct crossvm_component_open) == 0x80, "ABI");
static_assert(offsetof(struct crossvm_component_entry, header) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_entry, connection) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_entry, component) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_component_entry, member_access) == 0x70, "ABI");
static_assert(offsetof(struct crossvm_component_entry, features) == 0x74, "ABI");
static_assert(offsetof(struct crossvm_component_entry, connection_id) == 0x78, "ABI");
static_assert(offsetof(struct crossvm_component_entry, member_id) == 0x7c, "ABI");
static_assert(offsetof(struct crossvm_component_entry, fds) == 0x80, "ABI");
static_assert(offsetof(struct crossvm_component_entry, seat) == 0x84, "ABI");
static_assert(offsetof(struct crossvm_component_entry, dataport_bytes) == 0x88, "ABI");
static_assert(offsetof(struct crossvm_component_entry, direct_offset) == 0x90, "ABI");
static_assert(sizeof(struct crossvm_component_entry) == 0x98, "ABI");
static_assert(offsetof(struct crossvm_component_list, header) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_list, component) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_list, after_connection) == 0x40, "ABI");
static_assert(offsetof(struct crossvm_component_list, flags) == 0x44, "ABI");
static_assert(sizeof(struct crossvm_component_list) == 0x48, "ABI");
static_assert(offsetof(struct crossvm_component_claim, header) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_claim, halves) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_claim, flags) == 0x14, "ABI");
static_assert(offsetof(struct crossvm_component_claim, incarnation) == 0x18, "ABI");
static_assert(sizeof(struct crossvm_component_claim) == 0x20, "ABI");
static_assert(offsetof(struct crossvm_component_proxy, header) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_proxy, life_token) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_proxy, claim_token) == 0x18, "ABI");
static_assert(sizeof(struct crossvm_component_proxy) == 0x28, "ABI");
static_assert(offsetof(struct crossvm_component_failure, header) == 0x00, "ABI");
static_assert(offsetof(struct crossvm_component_failure, error) == 0x10, "ABI");
static_assert(offsetof(struct crossvm_component_failure, holder_pid) == 0x14, "ABI");
static_assert(offsetof(struct crossvm_component_failure, message) == 0x18, "ABI");
static_assert(sizeof(struct crossvm_component_failure) == 0x108, "ABI");

#endif
