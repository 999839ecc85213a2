/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(struct crossvm_report *report, const char *line)
{
	size_t bytes = strlen(line);
	char *text = realloc(report->text, report->bytes + bytes + 2);

	if (text == NULL)
		return;
	if (report->bytes > 0)
		text[report->bytes++] = '\n';
	memcpy(text + report->bytes, line, bytes + 1);
	report->text = text;
	report->bytes += bytes;
}

void crossvm_report_add(struct crossvm_report *report, size_t line, const char *format, ...)
{
	char what[1024];
	char whole[sizeof(what) + 4096];
	va_list args;

	report->count++;
	if (report->count > CROSSVM_REPORT_MAX)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (line > 0)
		snprintf(whole, sizeof(whole), "%s:%zu: %s", report->path, line, what);
	else
		snprintf(whole, sizeof(whole), "%s: %s", report->path, what);
	append(report, whole);
}

char *crossvm_report_take(struct crossvm_report *report)
{
	char line[4096 + 64];
	char *text;

	if (report->count > CROSSVM_REPORT_MAX) {
		snprintf(line, sizeof(line), "%.4095s: and %zu more; correct these first",
			 report->path, report->count - CROSSVM_REPORT_MAX);
		append(report, line);
	}
	text = report->text;
	*report = (struct crossvm_report){.path = report->path};
	return text;
}

struct crossvm_quoted crossvm_report_quote(const char *value)
{
	struct crossvm_quoted quoted;
	size_t room = sizeof(quoted.text) - sizeof("'...'");
	size_t n = 0;

	quoted.text[n++] = '\'';
	for (; *value != '\0' && n <= room; value++)
		quoted.text[n++] = (*value < ' ' || *value == 0x7f) ? '?' : *value;
	if (*value != '\0')
		n += (size_t)sprintf(quoted.text + n, "...");
	quoted.text[n++] = '\'';
	quoted.text[n] = '\0';
	return quoted;
}
