/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "systemfile/size.h"

static bool begins_with(const char *text, size_t bytes, const char *beginning)
{
	return bytes >= strlen(beginning) && memcmp(text, beginning, strlen(beginning)) == 0;
}

static int check_line(const char *line, size_t bytes, size_t number, struct crossvm_report *report)
{
	/* libyaml compares each directive of this kind with all before it. */
	if (!begins_with(line, bytes, "%TAG"))
		return 0;
	crossvm_report_add(report, number,
			   "tags (%%TAG) are not understood; remove the line, or put the value in "
			   "quotes if it begins so");
	return -EINVAL;
}

int crossvm_text_check(const char *text, size_t bytes, struct crossvm_report *report)
{
	const char *end = text + bytes;
	size_t number = 1;

	if (bytes > CROSSVM_TEXT_MAX_BYTES) {
		crossvm_report_add(report, 0,
				   "more than %s, too much for a system file; shorten it",
				   crossvm_size_format(CROSSVM_TEXT_MAX_BYTES).text);
		return -EINVAL;
	}
	for (const char *line = text; line < end; number++) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		next = next == NULL ? end : next + 1;
		if (check_line(line, (size_t)(next - line), number, report) != 0)
			return -EINVAL;
		line = next;
	}
	return 0;
}
