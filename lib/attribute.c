/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/attribute.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/error.h"

int crossvm_path(char path[CROSSVM_PATH_BYTES], const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(path, CROSSVM_PATH_BYTES, format, args);
	va_end(args);
	return length < 0 || length >= CROSSVM_PATH_BYTES ? -ENAMETOOLONG : 0;
}

int crossvm_attribute_text(const char *directory, const char *attribute, char *text, size_t bytes)
{
	char path[CROSSVM_PATH_BYTES];
	ssize_t length;
	int error = crossvm_path(path, "%s/%s", directory, attribute);
	int fd;

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, bytes);
	error = length < 0 ? -errno : 0;
	close(fd);
	if (error)
		return error;
	if (length > 0 && text[length - 1] == '\n')
		length--;
	if ((size_t)length >= bytes || memchr(text, '\0', (size_t)length))
		return -EPROTO;
	text[length] = '\0';
	return 0;
}

int crossvm_attribute_number(const char *directory, const char *attribute, uint64_t *number)
{
	char text[32] = "";
	char *end;
	int error = crossvm_attribute_text(directory, attribute, text, sizeof(text));

	if (error)
		return error;
	if (text[0] < '0' || text[0] > '9')
		return -EPROTO;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return errno || *end ? -EPROTO : 0;
}

int crossvm_attribute_link(const char *directory, const char *attribute, char *text, size_t bytes)
{
	char path[CROSSVM_PATH_BYTES];
	char target[CROSSVM_PATH_BYTES];
	const char *name;
	ssize_t length;
	int error = crossvm_path(path, "%s/%s", directory, attribute);

	if (error)
		return error;
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= bytes)
		return -ENAMETOOLONG;
	memcpy(text, name, strlen(name) + 1);
	return 0;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int crossvm_directory_visit(const char *directory, int (*visit)(void *context, const char *entry),
			    void *context)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, not_hidden, versionsort);
	int result = 0;

	if (count < 0)
		return errno == ENOENT ? 0
				       : crossvm_fail(-errno, "cannot read the folder %s: %s",
						      directory, strerror(errno));
	for (int i = 0; i < count; i++) {
		if (!result)
			result = visit(context, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}
