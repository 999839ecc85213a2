/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included before all else where device/ is compiled for a test of preemption: its threads can be
 * stopped before each store to a page that the guest sees, and before each of the two steps by which
 * they settle who publishes. There another "thread" of the test runs.
 */
#ifndef FAKE_PREEMPT_H
#define FAKE_PREEMPT_H

#include <stdatomic.h>

/* The test's. */
void fake_preempt(void);

#define __atomic_store_n(object, value, order) \
	(fake_preempt(), __atomic_store_n(object, value, order))

#undef atomic_exchange
#define atomic_exchange(object, value) \
	(fake_preempt(), atomic_exchange_explicit(object, value, memory_order_seq_cst))

#undef atomic_fetch_add
#define atomic_fetch_add(object, value) \
	(fake_preempt(), atomic_fetch_add_explicit(object, value, memory_order_seq_cst))

#endif
