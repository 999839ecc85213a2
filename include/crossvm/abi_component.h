/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI between a component and crossvmd: messages on the daemon's component socket, a Unix
 * socket of type SOCK_SEQPACKET. libcrossvm speaks it; programs in other languages may too.
 *
 * One socket connection per opened connection; closing it closes the connection. The first message
 * is OPEN or LIST. All messages have a fixed size; integers are in host byte order.
 *
 * OPEN is answered with OPENED and, on success, three descriptors or two (SCM_RIGHTS), in this
 * order: the status page (read-only), an eventfd that becomes readable at each event or change of
 * peers, and the dataport, if there is one and it was asked for (read-only if so opened). Both
 * memory descriptors are sealed against shrinking. Totals are read from the status page, see abi.h;
 * the eventfd only wakes.
 * EMIT after it emits; it has no answer. LIST is answered with one ENTRY a connection and an ENTRY
 * with an empty name as the end.
 * The daemon answers anything else with FAILED where it can, and closes the socket. A process that may
 * be no component at all, or finds everything taken, is told so by FAILED as soon as it has connected.
 * The daemon has 1,024 places, and one user at most 256 of them. While a user's are taken, or all, a
 * socket that has opened nothing gives way to a new one. A process that neither reads its eventfd nor
 * leaves it non-blocking is disconnected; a user whose processes have done so three times within ten
 * minutes can open nothing for that time. No descriptors go to the daemon: the kernel refuses to send
 * them, or else the process is disconnected.
 */
#if defined(CROSSVM_COMPONENT_VERSION) && CROSSVM_COMPONENT_VERSION != 1u
#error "crossvm/next/abi_component.h is included already: include one protocol only"
#endif
#ifndef CROSSVM_ABI_COMPONENT_H
#define CROSSVM_ABI_COMPONENT_H

#include <assert.h>
#include <stdint.h>

#include <crossvm/abi.h>

#define CROSSVM_COMPONENT_VERSION 1u
#define CROSSVM_COMPONENT_MAGIC   0x434d5658u /* "XVMC" */

/*
 * In the daemon's socket directory, and that directory unless the daemon is told another; the default
 * of a daemon that an ordinary user starts is $XDG_RUNTIME_DIR/crossvm.
 */
#define CROSSVM_COMPONENT_SOCKET_NAME "component.socket"
#define CROSSVM_COMPONENT_SOCKET_DIR  "/run/crossvm"

enum crossvm_component_type {
	CROSSVM_COMPONENT_OPEN = 1,
	CROSSVM_COMPONENT_LIST = 2,
	CROSSVM_COMPONENT_EMIT = 3,
	CROSSVM_COMPONENT_OPENED = 0x101,
	CROSSVM_COMPONENT_ENTRY = 0x102,
	CROSSVM_COMPONENT_FAILED = 0x103,
};

struct crossvm_component_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type; /* enum crossvm_component_type */
};

/* OPEN and LIST (connection and access unused). */
struct crossvm_component_request {
	struct crossvm_component_header header;
	char connection[CROSSVM_NAME_BYTES]; /* with NUL */
	char component[CROSSVM_NAME_BYTES];  /* "": the only one that this process may be */
	uint32_t access;                     /* CROSSVM_ACCESS_*; 0: events only */
	uint32_t reserved;
};

struct crossvm_component_emit {
	struct crossvm_component_header header;
};

/* OPENED and ENTRY. */
struct crossvm_component_entry {
	struct crossvm_component_header header;
	char connection[CROSSVM_NAME_BYTES];
	char component[CROSSVM_NAME_BYTES];
	uint32_t member_access; /* CROSSVM_ACCESS_* */
	uint32_t reserved;
	uint64_t dataport_bytes;
};

/* FAILED. */
struct crossvm_component_failure {
	struct crossvm_component_header header;
	int32_t error;     /* -errno */
	char message[252]; /* a sentence, with NUL */
};

static_assert(sizeof(struct crossvm_component_header) == 8, "ABI");
static_assert(sizeof(struct crossvm_component_request) == 112, "ABI");
static_assert(sizeof(struct crossvm_component_emit) == 8, "ABI");
static_assert(sizeof(struct crossvm_component_entry) == 120, "ABI");
static_assert(sizeof(struct crossvm_component_failure) == 264, "ABI");

#endif
