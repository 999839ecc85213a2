/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_DIRECTORY "/run/crossvm"

char *directory_default(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;

	if (geteuid() == 0 || runtime == NULL || runtime[0] != '/')
		return strdup(SYSTEM_DIRECTORY);
	return asprintf(&path, "%s/crossvm", runtime) < 0 ? NULL : path;
}

/* @return 0 (also if it was there) or -errno. */
static int make(const char *path, const struct rights *rights)
{
	int error;

	if (mkdir(path, 0755) != 0)
		return errno == EEXIST ? 0 : -errno;
	/* So that the sockets can be removed in the end. */
	if (!rights->drop || chown(path, rights->user, rights->group) == 0)
		return 0;
	error = -errno;
	rmdir(path);
	return error;
}

int directory_lock(const char *path, const struct rights *rights, const struct log *log)
{
	int error = make(path, rights);
	int fd;

	if (error) {
		log_write(log, CROSSVM_LOG_ERROR,
			  "cannot make the folder %s: %s; make it, or name another with "
			  "--socket-dir",
			  path, strerror(-error));
		return error;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error = -errno;
		log_write(log, CROSSVM_LOG_ERROR,
			  "cannot use the folder %s: %s; name another with --socket-dir", path,
			  strerror(-error));
		return error;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = -errno;
	close(fd);
	if (error == -EWOULDBLOCK)
		log_write(log, CROSSVM_LOG_ERROR,
			  "another crossvmd serves %s; end that one, or name another folder with "
			  "--socket-dir",
			  path);
	else
		log_write(log, CROSSVM_LOG_ERROR, "cannot lock the folder %s: %s", path,
			  strerror(-error));
	return error;
}
