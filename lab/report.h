/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the lab says to the person at the terminal, on standard error.
 */
#ifndef CROSSVM_LAB_REPORT_H
#define CROSSVM_LAB_REPORT_H

/* Something failed: "crossvm lab: ...". */
__attribute__((format(printf, 1, 2))) void lab_error(const char *format, ...);

/* What is being done, for commands that take long. */
__attribute__((format(printf, 1, 2))) void lab_progress(const char *format, ...);

/* The last lines of a file, indented, for "here is what it said before it ended". */
void lab_show_tail(const char *path, unsigned int lines);

#endif
