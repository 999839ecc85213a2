/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONSOLE_DEVICE makedev(5, 1)

static void pad(struct lab_cpio *cpio)
{
	static const char zeros[4];
	long at = ftell(cpio->file);

	if (at >= 0)
		fwrite(zeros, 1, (size_t)(-at & 3), cpio->file);
}

static void write_header(struct lab_cpio *cpio, const char *path, mode_t mode, size_t bytes,
			 dev_t device)
{
	unsigned int links = S_ISDIR(mode) ? 2 : 1;

	/* inode mode uid gid links time bytes device(2) special device(2) name-bytes check */
	fprintf(cpio->file, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s%c",
		++cpio->next_inode, mode, 0u, 0u, links, 0u, (unsigned int)bytes, 0u, 0u,
		major(device), minor(device), (unsigned int)strlen(path) + 1, 0u, path, '\0');
	pad(cpio);
}

/* Where a path is, or would be, in the sorted list. */
static size_t position(const struct lab_cpio *cpio, const char *path, bool *found)
{
	size_t low = 0, high = cpio->num_paths;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(cpio->paths[middle], path);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int remember(struct lab_cpio *cpio, const char *path)
{
	bool found;
	size_t at = position(cpio, path, &found);
	char **paths;
	char *copy;

	if (found)
		return 0;
	copy = strdup(path);
	paths = copy ? realloc(cpio->paths, (cpio->num_paths + 1) * sizeof(*paths)) : NULL;
	if (!paths) {
		free(copy);
		return -ENOMEM;
	}
	memmove(paths + at + 1, paths + at, (cpio->num_paths - at) * sizeof(*paths));
	paths[at] = copy;
	cpio->paths = paths;
	cpio->num_paths++;
	return 0;
}

/* Make a path absolute-less and plain: "/lib//a/./b" becomes "usr/lib/a/b". */
static int normalise(const char *path, char *plain)
{
	static const char *const merged[] = {"bin", "sbin", "lib", "lib64"};
	size_t used = 0;

	if (path[0] != '/')
		return -EINVAL;
	while (*path) {
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length == 2 && strncmp(path, "..", 2) == 0)
			return -EINVAL;
		if (length == 0 || (length == 1 && path[0] == '.')) {
			path += length;
			continue;
		}
		for (size_t i = 0; used == 0 && i < sizeof(merged) / sizeof(merged[0]); i++)
			if (strlen(merged[i]) == length && strncmp(path, merged[i], length) == 0 &&
			    path[length] == '/')
				used = (size_t)sprintf(plain, "usr");
		if (used + length + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		used += (size_t)sprintf(plain + used, "%s%.*s", used ? "/" : "", (int)length, path);
		path += length;
	}
	return used > 0 ? 0 : -EINVAL;
}

static int add_parents(struct lab_cpio *cpio, const char *plain)
{
	char parent[PATH_MAX];

	for (const char *slash = strchr(plain, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool found;
		int error;

		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - plain), plain);
		(void)position(cpio, parent, &found);
		if (found)
			continue;
		write_header(cpio, parent, S_IFDIR | 0755, 0, 0);
		error = remember(cpio, parent);
		if (error)
			return error;
	}
	return 0;
}

/* Begin an entry; its contents and padding are to follow. */
static int add(struct lab_cpio *cpio, const char *path, mode_t mode, size_t bytes, dev_t device)
{
	char plain[PATH_MAX];
	int error = normalise(path, plain);

	if (!error && bytes > UINT32_MAX)
		error = -EFBIG;
	if (!error)
		error = add_parents(cpio, plain);
	if (!error)
		error = remember(cpio, plain);
	if (!error)
		write_header(cpio, plain, mode, bytes, device);
	return error;
}

int lab_cpio_create(struct lab_cpio *cpio, const char *path)
{
	static const char *const merged[][2] = {
		{"/bin", "usr/bin"},
		{"/sbin", "usr/sbin"},
		{"/lib", "usr/lib"},
		{"/lib64", "usr/lib64"},
	};
	int error = 0;

	*cpio = (struct lab_cpio){.file = fopen(path, "we")};
	if (!cpio->file)
		return -errno;
	for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]) && !error; i++) {
		char dir[16];

		snprintf(dir, sizeof(dir), "/%s", merged[i][1]);
		error = lab_cpio_dir(cpio, dir, 0755);
		if (!error)
			error = lab_cpio_link(cpio, merged[i][0], merged[i][1]);
	}
	if (error)
		(void)lab_cpio_close(cpio);
	return error;
}

int lab_cpio_close(struct lab_cpio *cpio)
{
	int error = 0;

	if (!cpio->file)
		return 0;
	write_header(cpio, "TRAILER!!!", 0, 0, 0);
	if (ferror(cpio->file))
		error = -EIO;
	errno = 0;
	if (fclose(cpio->file) != 0)
		error = -errno;
	/* stdio forgets why an earlier write failed; a full disk is by far the likeliest. */
	if (error == -EIO)
		error = -ENOSPC;
	for (size_t i = 0; i < cpio->num_paths; i++)
		free(cpio->paths[i]);
	free(cpio->paths);
	*cpio = (struct lab_cpio){0};
	return error;
}

bool lab_cpio_has(const struct lab_cpio *cpio, const char *path)
{
	char plain[PATH_MAX];
	bool found = false;

	if (normalise(path, plain) == 0)
		(void)position(cpio, plain, &found);
	return found;
}

int lab_cpio_dir(struct lab_cpio *cpio, const char *path, mode_t mode)
{
	return add(cpio, path, S_IFDIR | mode, 0, 0);
}

int lab_cpio_link(struct lab_cpio *cpio, const char *path, const char *target)
{
	int error = add(cpio, path, S_IFLNK | 0777, strlen(target), 0);

	if (error)
		return error;
	fputs(target, cpio->file);
	pad(cpio);
	return 0;
}

int lab_cpio_console(struct lab_cpio *cpio)
{
	return add(cpio, "/dev/console", S_IFCHR | 0600, 0, CONSOLE_DEVICE);
}

int lab_cpio_text(struct lab_cpio *cpio, const char *path, mode_t mode, const char *text)
{
	int error = add(cpio, path, S_IFREG | mode, strlen(text), 0);

	if (error)
		return error;
	fputs(text, cpio->file);
	pad(cpio);
	return 0;
}

/* Copy exactly so many bytes: the header has promised them. */
static int copy_contents(struct lab_cpio *cpio, int fd, size_t bytes)
{
	static char block[65536];
	int error = 0;

	while (bytes > 0) {
		size_t want = bytes < sizeof(block) ? bytes : sizeof(block);
		ssize_t n = error ? -1 : read(fd, block, want);

		if (n < 0 && errno == EINTR && !error)
			continue;
		if (n <= 0) {
			/* Shortened or unreadable: keep the archive well-formed all the same. */
			error = error ? error : (n < 0 ? -errno : -EIO);
			memset(block, 0, want);
			n = (ssize_t)want;
		}
		fwrite(block, 1, (size_t)n, cpio->file);
		bytes -= (size_t)n;
	}
	pad(cpio);
	return error;
}

int lab_cpio_file(struct lab_cpio *cpio, const char *path, mode_t mode, const char *source)
{
	int fd = open(source, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode))
		error = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (!error)
		error = add(cpio, path, S_IFREG | ((mode ? mode : st.st_mode) & 07777),
			    (size_t)st.st_size, 0);
	if (!error)
		error = copy_contents(cpio, fd, (size_t)st.st_size);
	close(fd);
	return error;
}
