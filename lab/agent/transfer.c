/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in and out of the guest: processes like any command, whose standard input or output is the
 * file's contents.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/agent/agent.h"

static int complain(const char *what, const char *path, int error)
{
	dprintf(STDERR_FILENO, "cannot %s %s: %s\n", what, path, strerror(error));
	return 1;
}

static int copy(int from, int to)
{
	static char bytes[65536];

	for (;;) {
		ssize_t n = read(from, bytes, sizeof(bytes));
		ssize_t done = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		while (done < n) {
			ssize_t m = write(to, bytes + done, (size_t)(n - done));

			if (m < 0 && errno == EINTR)
				continue;
			if (m < 0)
				return -errno;
			done += m;
		}
	}
}

/* Contents go to a device or pipe as they come; a file is replaced when all is there. */
static int put_into(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return complain("open", path, errno);
	error = copy(STDIN_FILENO, fd);
	if (close(fd) < 0 && !error)
		error = -errno;
	return error ? complain("write", path, -error) : 0;
}

static int put_file(const char *path, mode_t mode)
{
	char temporary[PATH_MAX + 8];
	int fd, error;

	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return complain("create", path, errno);
	error = copy(STDIN_FILENO, fd);
	if (!error && fchmod(fd, mode) < 0)
		error = -errno;
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error && rename(temporary, path) < 0)
		error = -errno;
	if (!error)
		return 0;
	(void)unlink(temporary);
	return complain("write", path, -error);
}

int agent_put(const char *path, const char *mode, const char *name)
{
	char target[PATH_MAX];
	struct stat st;
	int n;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		n = snprintf(target, sizeof(target), "%s/%s", path, name);
	else
		n = snprintf(target, sizeof(target), "%s", path);
	if (n < 0 || (size_t)n >= sizeof(target))
		return complain("write", path, ENAMETOOLONG);
	if (stat(target, &st) == 0 && S_ISDIR(st.st_mode))
		return complain("write", target, EISDIR);
	if (stat(target, &st) == 0 && !S_ISREG(st.st_mode))
		return put_into(target);
	return put_file(target, (mode_t)strtoul(mode, NULL, 8) & 07777);
}

int agent_get(const char *path)
{
	struct stat st;
	int error, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain("open", path, errno);
	if (fstat(fd, &st) < 0)
		return complain("read", path, errno);
	if (S_ISDIR(st.st_mode))
		return complain("read", path, EISDIR);
	/* The contents follow the mode. */
	dprintf(STDOUT_FILENO, "%07o\n", st.st_mode & 07777);
	error = copy(fd, STDOUT_FILENO);
	close(fd);
	return error ? complain("copy", path, -error) : 0;
}
