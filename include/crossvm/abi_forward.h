/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What 'crossvm forward' says over a queue: many byte streams, in both directions, in messages of at
 * most one frame each. Whoever implements it on another system can be the other side.
 *
 * One side listens for clients and opens streams; the other connects each to a server. Either sends
 * HELLO when it begins, and once more in answer to each HELLO that has a new session or does not answer
 * its own: 'answers' is the session of the other side, as far as known. A side that has got its own
 * session back is together with the other, and only from then on takes and, after its own HELLO, sends
 * other frames; those that come before are from an earlier life and mean nothing. A HELLO with a new
 * session ends all streams.
 *
 * A stream is a number below CROSSVM_FORWARD_STREAMS. The listening side sends OPEN, then both send
 * DATA, for which each has WINDOW_BYTES of credit to begin with, and gets it back by CREDIT as the
 * bytes are delivered; so a client that does not read holds up nobody else. END says that no DATA
 * follows. RESET breaks the stream off, is answered by RESET, and what comes in between is ignored; it
 * is sent only by who has not sent END yet, or has not returned all credit. The number is free again
 * when both have sent RESET, or when both have sent END and returned all credit: with this, nothing
 * is under way any more that belongs to it.
 */
#ifndef CROSSVM_ABI_FORWARD_H
#define CROSSVM_ABI_FORWARD_H

#include <assert.h>
#include <stdint.h>

#define CROSSVM_FORWARD_MAGIC   0x44575646u /* "FVWD" */
#define CROSSVM_FORWARD_VERSION 1u

#define CROSSVM_FORWARD_STREAMS      128u
#define CROSSVM_FORWARD_WINDOW_BYTES 262144u

enum crossvm_forward_type {
	CROSSVM_FORWARD_HELLO = 1,
	CROSSVM_FORWARD_OPEN = 2,
	CROSSVM_FORWARD_DATA = 3,
	CROSSVM_FORWARD_CREDIT = 4,
	CROSSVM_FORWARD_END = 5,
	CROSSVM_FORWARD_RESET = 6,
};

/* Every message begins with it; the bytes of DATA follow. Integers are little-endian. */
struct crossvm_forward_frame {
	uint16_t type;
	uint16_t stream;
	uint32_t credit; /* of CREDIT, otherwise 0 */
};

#define CROSSVM_FORWARD_CONNECTS 0u
#define CROSSVM_FORWARD_LISTENS  1u

/* HELLO; the same in all versions. */
struct crossvm_forward_hello {
	struct crossvm_forward_frame frame;
	uint32_t magic;
	uint32_t version;
	uint64_t session; /* random, not 0 */
	uint64_t answers; /* the other side's session; 0: not known yet */
	uint32_t role;
	uint32_t reserved;
};

static_assert(sizeof(struct crossvm_forward_frame) == 8, "ABI");
static_assert(sizeof(struct crossvm_forward_hello) == 40, "ABI");

#endif
