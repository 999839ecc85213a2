/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native component: a thread that reverses strings for the guest, and keeps a tally of how many.
 * In a real system it would have an address space of its own; its dealings would be the same.
 */
#ifndef EXAMPLE_COMPONENT_H
#define EXAMPLE_COMPONENT_H

#include <stdint.h>

#include <sel4utils/thread.h>

#include "environment.h"

#define DATAPORT_FRAMES 2
#define DATAPORT_BYTES  (DATAPORT_FRAMES * 4096u)

/* A dataport as one side has it: frames to give away, and its own mapping of them. */
struct dataport {
	seL4_CPtr frames[DATAPORT_FRAMES];
	char *memory;
};

struct component {
	struct dataport text;  /* a string goes in, and comes back reversed */
	struct dataport tally; /* how many have, a uint64_t */
	seL4_CPtr wake;        /* signalled when the guest has written a string */
	seL4_CPtr text_done;   /* to signal */
	seL4_CPtr tally_done;
	sel4utils_thread_t thread;
};

/* Make its dataports and its thread. text_done and tally_done are set before. */
void component_start(struct component *component, struct environment *env);

#endif
