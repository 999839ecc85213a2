/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that hold us up. An eventfd's flags belong to everybody who has it: a client can fill it, make
 * it blocking, and the next write to it waits until the worker's tick. That eventfd is written to no
 * more; and a client that does so again and again is given no more eventfds, or gives us none, for a
 * while.
 */
#ifndef CROSSVM_SERVER_STRIKES_H
#define CROSSVM_SERVER_STRIKES_H

#include <stdbool.h>
#include <stdint.h>

#define STRIKES         3u
#define STRIKES_SECONDS 600

/* Zeroed memory is a clean one. In the arena. */
struct strikes {
	int64_t since; /* seconds; of the first */
	uint32_t count;
};

void strike(struct strikes *strikes);
bool is_struck_out(const struct strikes *strikes);

#endif
