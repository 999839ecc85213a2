/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look at a system file's text before libyaml reads it. Refuses what libyaml would take more than
 * linear time for, or would describe in words that help nobody.
 */
#ifndef CROSSVM_SYSTEMFILE_TEXT_H
#define CROSSVM_SYSTEMFILE_TEXT_H

#include <stddef.h>

#include "systemfile/report.h"

#define CROSSVM_TEXT_MAX_BYTES (1u << 20)

/*
 * Check a text, and take the byte order mark of UTF-8 off its beginning, with which some editors begin
 * a file: libyaml would count it as a column, and find the first key indented.
 *
 * @return 0, or -EINVAL with a message in report.
 */
int crossvm_text_check(const char **text, size_t *bytes, struct crossvm_report *report);

#endif
