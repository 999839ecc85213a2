/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/strikes.h"

#include <time.h>

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static bool is_over(const struct strikes *strikes)
{
	return now() - strikes->since >= STRIKES_SECONDS;
}

void strike(struct strikes *strikes)
{
	if (!strikes->count || is_over(strikes))
		*strikes = (struct strikes){.since = now()};
	strikes->count++;
}

bool is_struck_out(const struct strikes *strikes)
{
	return strikes->count >= STRIKES && !is_over(strikes);
}
