/* SPDX-License-Identifier: BSD-2-Clause */
/* What the proofs share: a dataport of any size, and a port to it. */
#ifndef CROSSVM_TESTS_CHANNEL_PROOF_PROOF_H
#define CROSSVM_TESTS_CHANNEL_PROOF_PROOF_H

#include <stdlib.h>

#include <crossvm/channel.h>

#include "lib/channel/atomic.h"

#define assume(what) __CPROVER_assume(what)
/* The text is what CBMC prints. */
#define prove(what) __CPROVER_assert(what, #what)

/*
 * A function of lib/channel/FILE.c that is static there. A proof that is run with --taking f has
 * each call of f go to taken_f().
 */
#define LIB(file, function) __CPROVER_file_local_##file##_c_##function

/* The proofs of what divides by a ring's size need one that is known. */
#ifndef DATAPORT_BYTES
#define DATAPORT_BYTES nondet_word()
#endif
#ifndef DATAPORT_BYTES_MAX
#define DATAPORT_BYTES_MAX (UINT64_C(1) << 40)
#endif

/* How long this side spins before it sleeps; what spins longer does the same again. */
#ifndef SPIN_LIMIT
#define SPIN_LIMIT 0u
#endif

/* Where the oldest records are; and all bits that a ring's size may have. */
#ifndef POSITION
#define POSITION nondet_word()
#endif
#ifndef SMALL
#define SMALL UINT64_MAX
#endif

uint8_t *dataport;
uint64_t dataport_bytes;

uint64_t nondet_word(void);
bool nondet_bool(void);
int nondet_int(void);

static void port_ring(void *ctx)
{
	(void)ctx;
}

static int port_wait(void *ctx, uint64_t deadline)
{
	int result = nondet_int();

	(void)ctx;
	(void)deadline;
	/*
	 * A good end makes the channel look again, which it does after an early end of a wait just so;
	 * how often the port wakes it for nothing is not the channel's to bound.
	 */
	assume(result < 0);
	return result;
}

static struct crossvm_port port_new(void)
{
	struct crossvm_port port = {.ring = port_ring, .wait = port_wait};

	dataport_bytes = DATAPORT_BYTES;
	assume(dataport_bytes >= 4096 && dataport_bytes <= DATAPORT_BYTES_MAX);
	dataport = malloc(dataport_bytes);
	assume(dataport);
	assume((uintptr_t)dataport % CROSSVM_RING_ALIGN == 0);
	assume((uintptr_t)dataport <= UINTPTR_MAX - dataport_bytes);
	port.memory = dataport;
	port.bytes = dataport_bytes;
	return port;
}

/* Up to a ring's size: no more than that is assumed, but the solver need not find it out. */
static uint64_t any_small(void)
{
	return nondet_word() & SMALL;
}

static bool within(uint64_t offset, uint64_t bytes, uint64_t from, uint64_t size)
{
	return offset >= from && offset - from <= size && bytes <= size - (offset - from);
}

static bool ring_holds(const uint8_t *ring, uint64_t bytes, uint64_t header_bytes)
{
	uint64_t offset = __CPROVER_POINTER_OFFSET(ring);

	return __CPROVER_same_object(ring, dataport) && offset >= header_bytes &&
	       offset % CROSSVM_RING_ALIGN == 0 && bytes && bytes % CROSSVM_RING_ALIGN == 0 &&
	       bytes < UINT64_C(1) << 32 && within(offset, bytes, 0, dataport_bytes);
}

static bool aligned(uint64_t offset)
{
	return offset % CROSSVM_RECORD_ALIGN == 0;
}

static uint64_t span_of(uint64_t header_bytes, uint64_t size)
{
	return header_bytes +
	       (size + CROSSVM_RECORD_ALIGN - 1) / CROSSVM_RECORD_ALIGN * CROSSVM_RECORD_ALIGN;
}

static bool spin_holds(const struct crossvm_spin *spin)
{
	return spin->budget <= spin->limit;
}

#endif
