/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A full fence: everything before it comes before everything after it, on all processors alike.
 *
 * On x86-64 there are two. A locked operation takes half the time of mfence, or less, where many
 * small messages are sent one at a time. But QEMU, emulating a VM of one processor, carries it out
 * without the lock, and orders nothing against another VM; mfence it always keeps. So the first is
 * taken only where the processor tells that nobody emulates it.
 */
#ifndef CROSSVM_LIB_CHANNEL_FENCE_H
#define CROSSVM_LIB_CHANNEL_FENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Which it is to be, by_lock of fence(), on this processor. Not for each fence: ask at attach. */
bool channel_fence_by_lock(void);

#if defined(__x86_64__)

/* What CPUID tells of a hypervisor. */
struct channel_hypervisor {
	bool present;          /* leaf 1, ECX, bit 31 */
	uint32_t signature[3]; /* leaf 0x40000000, EBX, ECX, EDX; "TCGTCGTCGTCG": QEMU emulates */
};

/* Is a locked operation a fence below that hypervisor? */
bool channel_lock_is_fence(const struct channel_hypervisor *hypervisor);

static inline void fence(bool by_lock)
{
	if (by_lock)
		__asm__ volatile("lock; orl $0, (%%rsp)" ::: "memory", "cc");
	else
		__asm__ volatile("mfence" ::: "memory");
}

#else

static inline void fence(bool by_lock)
{
	(void)by_lock;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
#endif
