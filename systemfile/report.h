/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects what is wrong with a system file: one line for each mistake, "FILE:LINE: what; remedy".
 * Bounded: it keeps CROSSVM_REPORT_MAX lines, and counts those that come after.
 */
#ifndef CROSSVM_SYSTEMFILE_REPORT_H
#define CROSSVM_SYSTEMFILE_REPORT_H

#include <stddef.h>

#define CROSSVM_REPORT_MAX 20u

struct crossvm_report {
	const char *path;
	char *text; /* NULL while there is nothing */
	size_t bytes;
	size_t count;
};

/*
 * Add a message. Whatever a file brings into it should be passed through crossvm_report_quote().
 *
 * @line: from 1; 0: the file as a whole.
 */
__attribute__((format(printf, 3, 4))) void crossvm_report_add(struct crossvm_report *report,
							      size_t line, const char *format, ...);

/*
 * The messages, one a line, and a line that says how many more there are, if any. Free it with
 * free(); the report is empty afterwards. NULL: there is nothing, or no memory.
 */
char *crossvm_report_take(struct crossvm_report *report);

/* A value of the file in a form that a terminal can take: shortened, quoted, without controls. */
struct crossvm_quoted {
	char text[80];
};
struct crossvm_quoted crossvm_report_quote(const char *value);

#endif
