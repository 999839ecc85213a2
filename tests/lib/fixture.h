/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all tests of the library include: cmocka with what it wants included first.
 */
#ifndef CROSSVM_TESTS_LIB_FIXTURE_H
#define CROSSVM_TESTS_LIB_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <crossvm/connection.h>

#include "lib/backend.h"

/* The last error says, in words, what a person needs. */
#define assert_error_says(words)                                                        \
	do {                                                                            \
		if (!strstr(crossvm_last_error(), (words)))                             \
			fail_msg("'%s' is not in '%s'", (words), crossvm_last_error()); \
	} while (0)

/* To compare with: how many descriptors this process has. */
static inline int open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

#endif
