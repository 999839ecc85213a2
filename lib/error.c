/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <crossvm/connection.h>

#define SENTENCE_BYTES 512

static _Thread_local char formatted[SENTENCE_BYTES];
static _Thread_local const char *last = "";

void crossvm_explain(const char *format, ...)
{
	/* An argument may be the previous sentence, so it must not be overwritten while in use. */
	char sentence[SENTENCE_BYTES];
	int saved_errno = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	snprintf(formatted, sizeof(formatted), "%s", sentence);
	last = formatted;
	errno = saved_errno;
}

int crossvm_fail_fixed(int error, const char *sentence)
{
	last = sentence;
	return error;
}

const char *crossvm_last_error(void)
{
	return last;
}
