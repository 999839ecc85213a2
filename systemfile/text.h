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

/* @return 0, or -EINVAL with a message in report. */
int crossvm_text_check(const char *text, size_t bytes, struct crossvm_report *report);

#endif
