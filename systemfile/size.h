/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes as people write them in a system file: "65536", "64 KiB", "3MiB", "1 GiB". Whole numbers;
 * only the binary units, for "64K" and "64 kB" mean different things to different people.
 */
#ifndef CROSSVM_SYSTEMFILE_SIZE_H
#define CROSSVM_SYSTEMFILE_SIZE_H

#include <stdint.h>

/* @return 0, -EINVAL (not a size), or -ERANGE (does not fit). */
int crossvm_size_parse(const char *text, uint64_t *bytes);

struct crossvm_size_text {
	char text[32];
};
/* The shortest exact spelling that crossvm_size_parse() reads back. */
struct crossvm_size_text crossvm_size_format(uint64_t bytes);

#endif
