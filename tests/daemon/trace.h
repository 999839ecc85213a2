/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a daemon under ptrace, to stop it at a system call of its own choosing and do something there. */
#ifndef TESTS_DAEMON_TRACE_H
#define TESTS_DAEMON_TRACE_H

#include "support.h"

/* Start it on a system file; it is stopped as soon as it is that program. Not waited for. */
void trace_spawn(struct daemon *daemon, const char *system);

/*
 * Let it go on until it is about to make a system call, before which it stops.
 *
 * @text: what a string of its second argument, as openat() has, ends in; NULL: any.
 * @return false if the process has ended before, with its status in *status (which may be NULL).
 */
bool trace_next(pid_t pid, long number, const char *text, int *status);
/* The same, where it must come. */
void trace_until(pid_t pid, long number, const char *text);

/* Let it go its way. */
void trace_end(pid_t pid);

#endif
