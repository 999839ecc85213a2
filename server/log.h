/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to people: where it goes to, and how much of it somebody else can cause. */
#ifndef CROSSVM_SERVER_LOG_H
#define CROSSVM_SERVER_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <crossvm/host.h>

/* The program's. Private memory, constant. */
struct server_log {
	crossvm_log_fn function;
	void *context;
};

__attribute__((format(printf, 3, 4))) void
server_log(const struct server_log *log, enum crossvm_log_level level, const char *format, ...);

/*
 * A limit for what a client can cause: ten messages at once, one a second in the long run. Zeroed
 * memory is a fresh one; in the arena it holds over the death of a process.
 */
struct log_limit {
	int64_t since_ms; /* when ten messages ago would have been allowed */
	uint64_t suppressed;
};

/*
 * Whether a message may be logged now. If some were not since the last one that was, says so first.
 */
bool log_allowed(const struct server_log *log, struct log_limit *limit);

/* server_log(), if it is allowed. */
__attribute__((format(printf, 4, 5))) void log_limited(const struct server_log *log,
						       struct log_limit *limit,
						       enum crossvm_log_level level,
						       const char *format, ...);

#endif
