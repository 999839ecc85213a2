/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "systemfile/size.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

static bool begins_with(const char *text, size_t bytes, const char *beginning)
{
	return bytes >= strlen(beginning) && memcmp(text, beginning, strlen(beginning)) == 0;
}

/*
 * Which encoding other than UTF-8 the text is in, by its byte order mark, or by the NUL bytes that
 * stand beside its first character. A system file begins with a character of ASCII.
 *
 * @return NULL: none of those known.
 */
static const char *foreign_encoding(const char *text, size_t bytes)
{
	static const struct {
		size_t bytes;
		const char *beginning;
		const char *mask; /* of what counts: 0 for the bytes of the first character */
		const char *name;
	} encodings[] = {
		/* UTF-32 first: its mark of the little-endian kind begins with that of UTF-16 */
		{4, "\x00\x00\xfe\xff", "\xff\xff\xff\xff", "UTF-32"},
		{4, "\xff\xfe\x00\x00", "\xff\xff\xff\xff", "UTF-32"},
		{4, "\x00\x00\x00\x00", "\xff\xff\xff\x00", "UTF-32"},
		{4, "\x00\x00\x00\x00", "\x00\xff\xff\xff", "UTF-32"},
		{2, "\xfe\xff", "\xff\xff", "UTF-16"},
		{2, "\xff\xfe", "\xff\xff", "UTF-16"},
		{2, "\x00\x00", "\xff\x00", "UTF-16"},
		{2, "\x00\x00", "\x00\xff", "UTF-16"},
	};

	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		bool equal = bytes >= encodings[i].bytes;

		for (size_t j = 0; equal && j < encodings[i].bytes; j++)
			equal = ((text[j] ^ encodings[i].beginning[j]) & encodings[i].mask[j]) == 0;
		if (equal)
			return encodings[i].name;
	}
	return NULL;
}

static int check_encoding(const char *text, size_t bytes, struct crossvm_report *report)
{
	const char *encoding = foreign_encoding(text, bytes);

	if (encoding == NULL)
		return 0;
	crossvm_report_add(report, 0, "the file is in %s; save it in UTF-8", encoding);
	return -EINVAL;
}

static int check_line(const char *line, size_t bytes, size_t number, struct crossvm_report *report)
{
	/* libyaml compares each directive of this kind with all before it. */
	if (begins_with(line, bytes, "%TAG")) {
		crossvm_report_add(report, number,
				   "tags (%%TAG) are not understood; remove the line, or put the "
				   "value in quotes if it begins so");
		return -EINVAL;
	}
	if (memchr(line, '\0', bytes) != NULL) {
		crossvm_report_add(report, number,
				   "a NUL byte, which no text in UTF-8 has; remove it, or save the "
				   "file in UTF-8");
		return -EINVAL;
	}
	/* An invisible part of the first key, if two files are put together. */
	if (memmem(line, bytes, byte_order_mark, strlen(byte_order_mark)) != NULL) {
		crossvm_report_add(
			report, number,
			"a byte order mark (U+FEFF, three invisible bytes) that is not at "
			"the beginning of the file; remove it");
		return -EINVAL;
	}
	return 0;
}

static int check_lines(const char *text, size_t bytes, struct crossvm_report *report)
{
	const char *end = text + bytes;
	size_t number = 1;

	for (const char *line = text; line < end; number++) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		next = next == NULL ? end : next + 1;
		if (check_line(line, (size_t)(next - line), number, report) != 0)
			return -EINVAL;
		line = next;
	}
	return 0;
}

int crossvm_text_check(const char **text, size_t *bytes, struct crossvm_report *report)
{
	if (*bytes > CROSSVM_TEXT_MAX_BYTES) {
		crossvm_report_add(report, 0,
				   "more than %s, which is too much for a system file; shorten it",
				   crossvm_size_format(CROSSVM_TEXT_MAX_BYTES).text);
		return -EINVAL;
	}
	if (begins_with(*text, *bytes, byte_order_mark)) {
		*text += strlen(byte_order_mark);
		*bytes -= strlen(byte_order_mark);
	}
	if (check_encoding(*text, *bytes, report) != 0)
		return -EINVAL;
	return check_lines(*text, *bytes, report);
}
