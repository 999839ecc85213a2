/* SPDX-License-Identifier: BSD-2-Clause */
/* What crossvmd says to people, on standard error: one line a message, as journald likes it. */
#ifndef CROSSVM_DAEMON_LOG_H
#define CROSSVM_DAEMON_LOG_H

#include <stdbool.h>

#include <crossvm/host.h>

struct log {
	bool verbose; /* CROSSVM_LOG_DEBUG is written too */
	bool journal; /* standard error is the journal: say the level as it understands it */
};

/* Constant after log_init(). */
void log_init(struct log *log, bool verbose);

__attribute__((format(printf, 3, 4))) void
log_write(const struct log *log, enum crossvm_log_level level, const char *format, ...);

/* A crossvm_log_fn; context is the struct log. */
void log_message(void *context, enum crossvm_log_level level, const char *message);

#endif
