/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *unit;
	unsigned int bits;
} units[] = {{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}, {"", 0}};

#define NUM_UNITS (sizeof(units) / sizeof(units[0]))

int crossvm_size_parse(const char *text, uint64_t *bytes)
{
	uint64_t number = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return -ERANGE;
	}
	while (*text == ' ')
		text++;
	for (size_t i = 0; i < NUM_UNITS; i++) {
		if (strcmp(text, units[i].unit) != 0)
			continue;
		if (number > UINT64_MAX >> units[i].bits)
			return -ERANGE;
		*bytes = number << units[i].bits;
		return 0;
	}
	return -EINVAL;
}

struct crossvm_size_text crossvm_size_format(uint64_t bytes)
{
	struct crossvm_size_text size;
	size_t i = 0;

	while (units[i].bits > 0 &&
	       (bytes == 0 || (bytes & ((UINT64_C(1) << units[i].bits) - 1)) != 0))
		i++;
	snprintf(size.text, sizeof(size.text), "%" PRIu64 " %s", bytes >> units[i].bits,
		 units[i].unit);
	return size;
}
