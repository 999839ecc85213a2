/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MESSAGE_BYTES 1024u
#define INTERVAL_MS   1000
#define BURST         10

__attribute__((format(printf, 3, 0))) static void say(const struct server_log *log,
						      enum crossvm_log_level level,
						      const char *format, va_list arguments)
{
	char message[MESSAGE_BYTES];

	vsnprintf(message, sizeof(message), format, arguments);
	log->function(log->context, level, message);
}

void server_log(const struct server_log *log, enum crossvm_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(log, level, format, arguments);
	va_end(arguments);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool log_allowed(const struct server_log *log, struct log_limit *limit)
{
	const int64_t now = now_ms();

	if (limit->since_ms < now - (int64_t)BURST * INTERVAL_MS)
		limit->since_ms = now - (int64_t)BURST * INTERVAL_MS;
	if (limit->since_ms + INTERVAL_MS > now) {
		limit->suppressed++;
		return false;
	}
	limit->since_ms += INTERVAL_MS;
	if (limit->suppressed)
		server_log(log, CROSSVM_LOG_WARNING,
			   "%" PRIu64 " messages like the next one were left out",
			   limit->suppressed);
	limit->suppressed = 0;
	return true;
}

void log_limited(const struct server_log *log, struct log_limit *limit,
		 enum crossvm_log_level level, const char *format, ...)
{
	va_list arguments;

	if (!log_allowed(log, limit))
		return;
	va_start(arguments, format);
	say(log, level, format, arguments);
	va_end(arguments);
}
