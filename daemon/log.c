/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/log.h"

#include <stdint.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 1024u

/* systemd names the journal's stream, so that a redirected standard error is not mistaken for it. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char actual[64];

	if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
		return false;
	snprintf(actual, sizeof(actual), "%ju:%ju", (uintmax_t)status.st_dev,
		 (uintmax_t)status.st_ino);
	return strcmp(stream, actual) == 0;
}

void log_init(struct log *log, bool verbose)
{
	log->verbose = verbose;
	log->journal = is_journal();
}

/*
 * Nobody may be held up by whoever should read this, and does not: then it is lost. (A pipe that poll
 * calls writable has room for PIPE_BUF bytes, more than a line has.)
 */
static bool is_read(void)
{
	struct pollfd stream = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&stream, 1, 0) > 0;
}

void log_message(void *context, enum crossvm_log_level level, const char *message)
{
	static const char *const prefixes[] = {"<3>", "<4>", "<6>", "<7>"};
	const struct log *log = context;
	char line[LINE_BYTES];
	int bytes;

	if (level == CROSSVM_LOG_DEBUG && !log->verbose)
		return;
	bytes = snprintf(line, sizeof(line), "%s%s\n",
			 log->journal ? prefixes[level] : "crossvmd: ", message);
	if (bytes >= (int)sizeof(line)) {
		bytes = (int)sizeof(line) - 1;
		line[bytes - 1] = '\n';
	}
	/* One write, so that lines of holder and worker do not mix. Nobody to tell if it fails. */
	if (is_read() && write(STDERR_FILENO, line, (size_t)bytes) != bytes)
		return;
}

void log_write(const struct log *log, enum crossvm_log_level level, const char *format, ...)
{
	char message[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	log_message((void *)log, level, message);
}
