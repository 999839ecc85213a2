/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping where no interrupt can wake: short naps while events come, longer ones, up to a
 * millisecond, while nothing does.
 */
#ifndef CROSSVM_LIB_NAP_H
#define CROSSVM_LIB_NAP_H

#include <stdint.h>

struct crossvm_nap {
	uint64_t total; /* at the last nap */
	long length_ns;
};

/*
 * One nap, of at most timeout_ms (-1: no limit).
 *
 * @total: events so far; when it has changed since the last nap, naps begin short again.
 * @return 0, or -ETIMEDOUT when timeout_ms is 0, or -EINTR.
 */
int crossvm_nap(struct crossvm_nap *nap, uint64_t total, int timeout_ms);

#endif
