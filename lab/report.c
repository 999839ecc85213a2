/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/report.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *format,
						      va_list arguments)
{
	char line[1024];
	int n = vsnprintf(line, sizeof(line), format, arguments);

	/* One write, so that lines of processes that share a terminal stay whole. */
	if (n >= 0)
		dprintf(STDERR_FILENO, "%s%s\n", prefix, line);
}

void lab_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("crossvm lab: ", format, arguments);
	va_end(arguments);
}

void lab_progress(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
}

/* A guest's console may hold anything; a terminal must get text only. */
static void print_plain(const char *bytes, size_t length)
{
	dprintf(STDERR_FILENO, "    ");
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n')
			dprintf(STDERR_FILENO, i + 1 < length ? "\n    " : "\n");
		else if (isprint(c) || c == '\t')
			dprintf(STDERR_FILENO, "%c", c);
	}
	if (length > 0 && bytes[length - 1] != '\n')
		dprintf(STDERR_FILENO, "\n");
}

void lab_show_tail(const char *path, unsigned int lines)
{
	char bytes[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size;
	ssize_t n;
	size_t start;

	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	n = pread(fd, bytes, sizeof(bytes),
		  size > (off_t)sizeof(bytes) ? size - (off_t)sizeof(bytes) : 0);
	close(fd);
	if (n <= 0)
		return;
	start = (size_t)n;
	while (start > 0 && (bytes[start - 1] != '\n' || start == (size_t)n || lines-- > 1))
		start--;
	print_plain(bytes + start, (size_t)n - start);
}
