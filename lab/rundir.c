/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/loop.h"
#include "lab/report.h"

bool lab_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= LAB_NAME_BYTES || name[0] == '.')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

void lab_default_name(const char *system_path, char *name)
{
	char real[PATH_MAX];
	const char *path = realpath(system_path, real) ? real : system_path;
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	uint32_t hash = 2166136261u;
	size_t used = 0;

	for (const char *c = path; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	for (; *base && *base != '.' && used < 24; base++)
		name[used++] = (char)(isalnum((unsigned char)*base) ? *base : '-');
	if (used == 0)
		name[used++] = 'x';
	snprintf(name + used, LAB_NAME_BYTES - used, "-%06x", hash & 0xffffffu);
}

/* The folder of all labs of this user. Anybody can make names in /tmp: trust only what is ours. */
static int find_base(char *path, size_t bytes)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (runtime && runtime[0] == '/' && strlen(runtime) < 40 && access(runtime, W_OK) == 0)
		snprintf(path, bytes, "%s/crossvm-lab", runtime);
	else
		snprintf(path, bytes, "/tmp/crossvm-lab-%u", geteuid());
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		int error = -errno;

		lab_error("cannot make the folder %s: %s", path, strerror(errno));
		return error;
	}
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0) {
		lab_error("%s is not a folder that belongs to you alone; remove it", path);
		return -EPERM;
	}
	return 0;
}

static void remove_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct dirent *entry;
	DIR *dir;

	if (fd < 0) {
		(void)unlinkat(parent, name, 0);
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_at(fd, entry->d_name);
	closedir(dir);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void lab_remove_tree(const char *path)
{
	remove_at(AT_FDCWD, path);
}

/* Lock a file. @return its descriptor, -EWOULDBLOCK (somebody has locked it), or -errno. */
static int lock_file(const char *path, int flags, int operation)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	int error;

	if (fd < 0)
		return -errno;
	if (flock(fd, operation) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* Does a lab live in that folder? If it is given, @fd gets the lock of a dead one's. */
static bool is_alive(const char *path, int *fd)
{
	char lock[LAB_RUNDIR_BYTES + 8];

	snprintf(lock, sizeof(lock), "%s/lock", path);
	*fd = lock_file(lock, 0, LOCK_EX | LOCK_NB);
	return *fd == -EWOULDBLOCK;
}

/* A lab's images are elsewhere, where there is room for them: the link images leads there. */
static void remove_images(const char *path)
{
	char link[LAB_RUNDIR_BYTES + 8], images[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "%s/images", path);
	n = readlink(link, images, sizeof(images) - 1);
	if (n <= 0)
		return;
	images[n] = '\0';
	lab_remove_tree(images);
}

static void remove_dead(const char *base)
{
	DIR *dir = opendir(base);
	const struct dirent *entry;
	char path[LAB_RUNDIR_BYTES];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		int fd;

		if (entry->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", base, entry->d_name) >=
			    LAB_RUNDIR_BYTES ||
		    is_alive(path, &fd))
			continue;
		remove_images(path);
		lab_remove_tree(path);
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
}

static int create_locked(struct lab_rundir *rundir, const char *base)
{
	char lock[LAB_RUNDIR_BYTES + 8];

	remove_dead(base);
	if (mkdir(rundir->path, 0700) < 0)
		return -errno;
	snprintf(lock, sizeof(lock), "%s/lock", rundir->path);
	rundir->lock_fd = lock_file(lock, O_CREAT | O_EXCL, LOCK_EX | LOCK_NB);
	return rundir->lock_fd < 0 ? rundir->lock_fd : 0;
}

int lab_rundir_create(struct lab_rundir *rundir, const char *name)
{
	char base[LAB_RUNDIR_BYTES - LAB_NAME_BYTES], lock[LAB_RUNDIR_BYTES];
	int base_lock, error = find_base(base, sizeof(base));

	if (error)
		return error;
	*rundir = (struct lab_rundir){.lock_fd = -1};
	snprintf(rundir->name, sizeof(rundir->name), "%s", name);
	snprintf(rundir->path, sizeof(rundir->path), "%s/%s", base, name);
	snprintf(lock, sizeof(lock), "%s/.lock", base);
	/* Between making a folder and locking it nobody may take it for a dead one's. */
	base_lock = lock_file(lock, O_CREAT, LOCK_EX);
	error = base_lock < 0 ? base_lock : create_locked(rundir, base);
	if (base_lock >= 0)
		close(base_lock);
	if (error == -EEXIST)
		lab_error("a lab named %s is running: end it (crossvm lab down --lab %s), or give "
			  "this one another name (--name)",
			  name, name);
	else if (error)
		lab_error("cannot make the folder %s: %s", rundir->path, strerror(-error));
	return error;
}

void lab_rundir_remove(struct lab_rundir *rundir)
{
	lab_remove_tree(rundir->path);
	if (rundir->lock_fd >= 0)
		close(rundir->lock_fd);
	rundir->lock_fd = -1;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int lab_rundir_each(void (*fn)(const struct lab_rundir *rundir, void *context), void *context)
{
	char base[LAB_RUNDIR_BYTES - LAB_NAME_BYTES];
	struct dirent **entries;
	int found = 0, n, error = find_base(base, sizeof(base));

	if (error)
		return error;
	n = scandir(base, &entries, NULL, compare_names);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct lab_rundir rundir = {.lock_fd = -1};
		int fd = -1;

		if (lab_name_is_valid(entries[i]->d_name)) {
			snprintf(rundir.name, sizeof(rundir.name), "%.40s", entries[i]->d_name);
			snprintf(rundir.path, sizeof(rundir.path), "%s/%s", base, rundir.name);
			if (is_alive(rundir.path, &fd)) {
				fn(&rundir, context);
				found++;
			}
			if (fd >= 0)
				close(fd);
		}
		free(entries[i]);
	}
	free(entries);
	return found;
}

struct finding {
	const char *name;
	struct lab_rundir *rundir;
	unsigned int matches;
	char names[256];
};

static void find_one(const struct lab_rundir *rundir, void *context)
{
	struct finding *finding = context;
	size_t used = strlen(finding->names);

	snprintf(finding->names + used, sizeof(finding->names) - used, " %s", rundir->name);
	if (finding->name && strcmp(finding->name, rundir->name) != 0)
		return;
	*finding->rundir = *rundir;
	finding->matches++;
}

int lab_rundir_find(const char *name, struct lab_rundir *rundir)
{
	struct finding finding = {.name = name, .rundir = rundir};
	int n = lab_rundir_each(find_one, &finding);

	if (n < 0)
		return n;
	if (finding.matches == 1)
		return 0;
	if (n == 0)
		lab_error("no lab is running; start one with: crossvm lab up SYSTEM.yaml");
	else if (name)
		lab_error("no lab named %s is running; there are:%s", name, finding.names);
	else
		lab_error("several labs are running: say which with --lab NAME, one of:%s",
			  finding.names);
	return -ENOENT;
}

int lab_rundir_wait_gone(const struct lab_rundir *rundir, int timeout_ms)
{
	int64_t end = lab_now_ms() + timeout_ms;

	/* A folder that goes away cannot be waited for otherwise by who is not its parent. */
	while (access(rundir->path, F_OK) == 0) {
		if (lab_now_ms() >= end)
			return -ETIMEDOUT;
		usleep(20000);
	}
	return 0;
}
