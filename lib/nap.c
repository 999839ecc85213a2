/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/nap.h"

#include <errno.h>
#include <time.h>

#include "lib/error.h"

#define SHORTEST_NS 10000
#define LONGEST_NS  1000000

int crossvm_nap(struct crossvm_nap *nap, uint64_t total, int timeout_ms)
{
	struct timespec length = {0};

	if (timeout_ms == 0)
		return -ETIMEDOUT;
	if (!nap->length_ns || nap->total != total)
		nap->length_ns = SHORTEST_NS;
	else if (nap->length_ns < LONGEST_NS)
		nap->length_ns *= 2;
	if (nap->length_ns > LONGEST_NS)
		nap->length_ns = LONGEST_NS;
	nap->total = total;
	length.tv_nsec = nap->length_ns;
	if (nanosleep(&length, NULL) < 0 && errno == EINTR)
		return crossvm_fail_fixed(-EINTR, "a signal came while waiting");
	return 0;
}
