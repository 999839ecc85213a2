/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time from the processor's own counter. Reading the clock may trap; the counter costs nothing, but
 * somebody has to time it.
 */
#ifndef BENCH_EVENTS_TICKS_H
#define BENCH_EVENTS_TICKS_H

#include <stdint.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
#include <x86intrin.h>

static inline uint64_t ticks(void)
{
	return __rdtsc();
}
#else
static inline uint64_t ticks(void)
{
	uint64_t count;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count) : : "memory");
	return count;
}
#endif

static inline double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline double ns_per_tick(void)
{
	double start_ns = now_ns(), end_ns;
	uint64_t start = ticks();

	usleep(100000);
	end_ns = now_ns();
	return (end_ns - start_ns) / (double)(ticks() - start);
}

#endif
