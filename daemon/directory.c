/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_DIRECTORY "/run/crossvm"

#define MODE           0755u /* the sockets' modes and the daemon decide who gets in */
#define MODE_FOR_GROUP 0750u
#define MODE_BITS      07777u
#define LOCK_MODE      0600u

#define MAX_LINKS 40u /* as many as the kernel follows */
/* Times that the lock's file may be replaced by daemons that end just now. */
#define MAX_TRIES 100u

/* What every step of opening it needs. */
struct opening {
	const char *path;
	const struct rights *rights;
	const struct log *log;
	uid_t root_owner; /* of "/", which everybody has to trust */
	unsigned int links;
};

char *directory_default(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;

	if (geteuid() == 0 || runtime == NULL || runtime[0] != '/')
		return strdup(SYSTEM_DIRECTORY);
	return asprintf(&path, "%s/crossvm", runtime) < 0 ? NULL : path;
}

/* The errors that stay until somebody corrects something. */
static int lasting(int error)
{
	switch (error) {
	case -EACCES:
	case -EEXIST:
	case -ELOOP:
	case -ENAMETOOLONG:
	case -ENOENT:
	case -ENOTDIR:
	case -EPERM:
	case -EROFS:
		return -EINVAL;
	default:
		return error;
	}
}

static bool is_ours(const struct opening *opening, uid_t owner)
{
	return owner == 0 || owner == geteuid() || owner == opening->rights->user;
}

static int say_unusable(const struct opening *opening, int error)
{
	log_write(opening->log, CROSSVM_LOG_ERROR,
		  "cannot use the folder %s: %s; name another with --socket-dir", opening->path,
		  strerror(-error));
	return lasting(error);
}

static int say_unmade(const struct opening *opening, int error)
{
	log_write(opening->log, CROSSVM_LOG_ERROR,
		  "cannot make the folder %s: %s; make it, or name another with --socket-dir",
		  opening->path, strerror(-error));
	return lasting(error);
}

/* A directory or a symbolic link on the way, called name in the one that holds it. */
static int check_on_the_way(const struct opening *opening, const char *name,
			    const struct stat *status)
{
	const mode_t others = status->st_mode & (S_IWGRP | S_IWOTH);

	if (!is_ours(opening, status->st_uid) && status->st_uid != opening->root_owner) {
		log_write(
			opening->log, CROSSVM_LOG_ERROR,
			"the folder %s is not safe: user %u, who owns '%s' on its path, could put "
			"another one in its place; name a folder with --socket-dir whose path "
			"belongs to root and user %u only",
			opening->path, status->st_uid, name, opening->rights->user);
		return -EINVAL;
	}
	if (S_ISDIR(status->st_mode) && others && !(status->st_mode & S_ISVTX)) {
		log_write(opening->log, CROSSVM_LOG_ERROR,
			  "the folder %s is not safe: others may write to '%s' on its path (mode "
			  "%04o), and put another one in its place; take that from them (chmod "
			  "go-w), or name another folder with --socket-dir",
			  opening->path, name, status->st_mode & MODE_BITS);
		return -EINVAL;
	}
	return 0;
}

/* All directories above one, for a path that does not begin at "/". */
static int check_above(const struct opening *opening, int at)
{
	struct stat below, status;
	int fd = openat(at, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	while (!error) {
		int above = fd < 0 ? fd : openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (above < 0 || fstat(fd, &below) || fstat(above, &status)) {
			error = -errno;
			if (above >= 0)
				close(above);
			error = say_unusable(opening, error);
			break;
		}
		close(fd);
		fd = above;
		error = check_on_the_way(opening, "..", &status);
		if (below.st_dev == status.st_dev && below.st_ino == status.st_ino)
			break;
	}
	if (fd >= 0)
		close(fd);
	return error;
}

static int walk(struct opening *opening, int *at, const char *path);

/* Go on where a symbolic link leads. */
static int follow(struct opening *opening, int *at, int link)
{
	char target[PATH_MAX];
	ssize_t bytes = readlinkat(link, "", target, sizeof(target));

	if (bytes < 0)
		return say_unusable(opening, -errno);
	if (bytes == sizeof(target))
		return say_unusable(opening, -ENAMETOOLONG);
	if (++opening->links > MAX_LINKS)
		return say_unusable(opening, -ELOOP);
	target[bytes] = '\0';
	return walk(opening, at, target);
}

/* Go into the directory of that name; *at becomes it. "/" and "." are names as well. */
static int step(struct opening *opening, int *at, const char *name)
{
	struct stat status;
	int fd = openat(*at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int error;

	if (fd < 0 || fstat(fd, &status)) {
		error = errno == ENOENT ? say_unmade(opening, -errno)
					: say_unusable(opening, -errno);
		goto close_it;
	}
	error = check_on_the_way(opening, name, &status);
	if (!error && S_ISLNK(status.st_mode)) {
		error = follow(opening, at, fd);
	} else if (!error && !S_ISDIR(status.st_mode)) {
		error = say_unusable(opening, -ENOTDIR);
	} else if (!error) {
		if (*at >= 0)
			close(*at);
		*at = fd;
		return 0;
	}
close_it:
	if (fd >= 0)
		close(fd);
	return error;
}

/* Go along a path, checking all that is on it. *at, an O_PATH descriptor, is checked already. */
static int walk(struct opening *opening, int *at, const char *path)
{
	char *names = strdup(path);
	char *rest = names;
	int error = names == NULL ? -ENOMEM : 0;
	const char *name;

	if (!error && path[0] == '/')
		error = step(opening, at, "/");
	while (!error && (name = strsep(&rest, "/")) != NULL)
		if (name[0] != '\0')
			error = step(opening, at, name);
	free(names);
	return error;
}

/* Split a path, in place, into the directory that holds it and its last name, which is returned. */
static const char *split(char *path, const char **parent)
{
	size_t length = strlen(path);
	char *slash;

	/* With slashes at its end the kernel would follow a symbolic link. */
	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
	slash = strrchr(path, '/');
	*parent = slash == NULL ? "." : slash == path ? "/" : path;
	if (slash == NULL)
		return path;
	*slash = '\0';
	return slash[1] == '\0' ? "." : slash + 1;
}

/* @parent: set to a descriptor of it, once all on the way to it is checked; else as it was. */
static int open_parent(struct opening *opening, const char *path, int *parent)
{
	int at = AT_FDCWD;
	int error = 0;

	if (path[0] != '/')
		error = step(opening, &at, ".");
	if (!error && path[0] != '/')
		error = check_above(opening, at);
	if (!error)
		error = walk(opening, &at, path);
	if (!error)
		*parent = at;
	else if (at >= 0)
		close(at);
	return error;
}

/* Of a directory that was there. */
static int check_itself(const struct opening *opening, const struct stat *status)
{
	if (!is_ours(opening, status->st_uid)) {
		log_write(opening->log, CROSSVM_LOG_ERROR,
			  "the folder %s is not safe: it belongs to user %u; give it to user %u "
			  "(chown), or name another with --socket-dir",
			  opening->path, status->st_uid, opening->rights->user);
		return -EINVAL;
	}
	if (status->st_mode & (S_IWGRP | S_IWOTH)) {
		log_write(
			opening->log, CROSSVM_LOG_ERROR,
			"the folder %s is not safe: others may write to it (mode %04o); take that "
			"from them (chmod go-w), or name another with --socket-dir",
			opening->path, status->st_mode & MODE_BITS);
		return -EINVAL;
	}
	return 0;
}

static int open_itself(const struct opening *opening, int parent, const char *name,
		       struct stat *status, int *fd)
{
	*fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd >= 0)
		return fstat(*fd, status) ? say_unusable(opening, -errno) : 0;
	if (errno == ENOTDIR && !fstatat(parent, name, status, AT_SYMLINK_NOFOLLOW) &&
	    S_ISLNK(status->st_mode)) {
		log_write(opening->log, CROSSVM_LOG_ERROR,
			  "cannot use the folder %s: it is a symbolic link; name with --socket-dir "
			  "what it leads to",
			  opening->path);
		return -EINVAL;
	}
	return say_unusable(opening, -errno);
}

/* So that the sockets can be removed in the end, and whatever the umask is. */
static int set_owner_and_mode(const struct opening *opening, int fd)
{
	const struct rights *rights = opening->rights;

	if (fchmod(fd, MODE) != 0 || (rights->drop && fchown(fd, rights->user, rights->group) != 0))
		return say_unusable(opening, -errno);
	return 0;
}

static int make_or_open(const struct opening *opening, int parent, const char *name, int *fd)
{
	bool made = mkdirat(parent, name, 0700) == 0;
	struct stat status = {.st_uid = (uid_t)-1};
	int error = made || errno == EEXIST ? 0 : -errno;

	if (error)
		return say_unmade(opening, error);
	error = open_itself(opening, parent, name, &status, fd);
	if (!error)
		error = check_itself(opening, &status);
	if (!error && made)
		error = set_owner_and_mode(opening, *fd);
	if (error && made)
		unlinkat(parent, name, AT_REMOVEDIR);
	return error;
}

static int give_to_group(const struct opening *opening, int fd, gid_t group)
{
	struct stat status;
	int error = 0;

	if (group == (gid_t)-1)
		return 0;
	if (fstat(fd, &status) != 0)
		return say_unusable(opening, -errno);
	if ((status.st_mode & MODE_BITS) != MODE_FOR_GROUP && fchmod(fd, MODE_FOR_GROUP) != 0)
		error = -errno;
	if (!error && status.st_gid != group && fchown(fd, (uid_t)-1, group) != 0)
		error = -errno;
	if (!error)
		return 0;
	log_write(
		opening->log, CROSSVM_LOG_ERROR,
		"cannot give the folder %s to group %u with mode %04o: %s; start as its owner and "
		"as a member of that group (SupplementaryGroups= in the unit), or do it yourself "
		"(chgrp, chmod)",
		opening->path, group, MODE_FOR_GROUP, strerror(-error));
	return lasting(error);
}

static int say_unlockable(const struct opening *opening, int error)
{
	log_write(opening->log, CROSSVM_LOG_ERROR,
		  "cannot lock %s/" DIRECTORY_LOCK_NAME ": %s; if no crossvmd serves that folder, "
		  "remove the file",
		  opening->path, strerror(-error));
	return lasting(error);
}

/* Nobody else may open it: whoever can open a file can lock it, and keep it so. */
static int check_lock_file(const struct opening *opening, int fd, struct stat *status)
{
	if (fstat(fd, status) != 0)
		return say_unlockable(opening, -errno);
	if (!S_ISREG(status->st_mode) || !is_ours(opening, status->st_uid) ||
	    (status->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		log_write(opening->log, CROSSVM_LOG_ERROR,
			  "%s/" DIRECTORY_LOCK_NAME " is not a file that only crossvmd may open; "
			  "remove it",
			  opening->path);
		return -EINVAL;
	}
	return 0;
}

/* @return 0, -EAGAIN if the file was removed meanwhile, or -errno after a message. */
static int try_lock(const struct opening *opening, int directory, int *lock_fd)
{
	const struct rights *rights = opening->rights;
	const int fd = openat(directory, DIRECTORY_LOCK_NAME,
			      O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			      LOCK_MODE);
	struct stat opened, named;
	int error;

	if (fd < 0)
		return say_unlockable(opening, -errno);
	error = check_lock_file(opening, fd, &opened);
	if (error)
		goto close_it;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error = errno == EWOULDBLOCK ? -EBUSY : say_unlockable(opening, -errno);
		if (error == -EBUSY)
			log_write(opening->log, CROSSVM_LOG_ERROR,
				  "another crossvmd serves %s; end that one, or name another "
				  "folder with --socket-dir",
				  opening->path);
		goto close_it;
	}
	/* It removes the file before it lets go of it: then this lock is one of a file that is gone. */
	if (fstatat(directory, DIRECTORY_LOCK_NAME, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
	    named.st_dev != opened.st_dev || named.st_ino != opened.st_ino) {
		error = -EAGAIN;
		goto close_it;
	}
	/* Whatever the umask was; and for a daemon that is started as that user next time. */
	if ((opened.st_uid == geteuid() && fchmod(fd, LOCK_MODE) != 0) ||
	    (rights->drop && fchown(fd, rights->user, rights->group) != 0)) {
		error = say_unlockable(opening, -errno);
		goto close_it;
	}
	*lock_fd = fd;
	return 0;

close_it:
	close(fd);
	return error;
}

static int lock(const struct opening *opening, struct directory *directory)
{
	int error = -EAGAIN;

	for (unsigned int i = 0; error == -EAGAIN && i < MAX_TRIES; i++)
		error = try_lock(opening, directory->fd, &directory->lock_fd);
	return error == -EAGAIN ? say_unlockable(opening, error) : error;
}

int directory_open(struct directory *directory, const char *path, gid_t group,
		   const struct rights *rights, const struct log *log)
{
	struct opening opening = {.path = path, .rights = rights, .log = log};
	char *copy = strdup(path);
	const char *parent_path;
	const char *name;
	struct stat status;
	int parent = -1;
	int error;

	*directory = (struct directory){.path = path, .fd = -1, .lock_fd = -1};
	if (copy == NULL || stat("/", &status) != 0) {
		free(copy);
		return say_unusable(&opening, -ENOMEM);
	}
	opening.root_owner = status.st_uid;
	name = split(copy, &parent_path);
	error = open_parent(&opening, parent_path, &parent);
	if (!error)
		error = make_or_open(&opening, parent, name, &directory->fd);
	if (!error)
		error = give_to_group(&opening, directory->fd, group);
	if (!error)
		error = lock(&opening, directory);
	if (parent >= 0)
		close(parent);
	free(copy);
	return error;
}

void directory_close(struct directory *directory)
{
	if (directory->lock_fd >= 0) {
		unlinkat(directory->fd, DIRECTORY_LOCK_NAME, 0);
		close(directory->lock_fd);
	}
	if (directory->fd >= 0)
		close(directory->fd);
	directory->fd = directory->lock_fd = -1;
}
