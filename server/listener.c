/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* What the kernel has them be unless told otherwise, and where it tells. */
#define OVERFLOW_ID  65534u
#define OVERFLOW_UID "/proc/sys/kernel/overflowuid"
#define OVERFLOW_GID "/proc/sys/kernel/overflowgid"

static int new_socket(enum wire_kind kind)
{
	const int type = kind == WIRE_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
	const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Whether a process listens at an address: 0 no, -EADDRINUSE yes, or -errno where unknown. */
static int probe(const struct sockaddr_un *address, enum wire_kind kind)
{
	const int fd = new_socket(kind);
	struct stat status;
	int error;

	if (fd < 0)
		return fd;
	if (lstat(address->sun_path, &status)) {
		error = errno == ENOENT ? 0 : -errno;
	} else if (!S_ISSOCK(status.st_mode)) {
		error = -EEXIST;
	} else if (!connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
		error = -EADDRINUSE;
	} else {
		/* EAGAIN: its queue is full; EPROTOTYPE: one of another kind. Both are alive. */
		error = errno == ECONNREFUSED || errno == ENOENT ? 0
			: errno == EAGAIN || errno == EPROTOTYPE ? -EADDRINUSE
								 : -errno;
	}
	close(fd);
	return error;
}

static int bind_replacing(int fd, const struct sockaddr_un *address, enum wire_kind kind)
{
	int error;

	if (!bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	error = probe(address, kind);
	if (error)
		return error;
	if (unlink(address->sun_path) && errno != ENOENT)
		return -errno;
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
}

/* Give the file to whom it is for. @return the mode to go with that, or -errno. */
static int give(const struct listener_options *options)
{
	if (options->user == (uid_t)-1 && options->group == (gid_t)-1)
		return 0600;
	if (!fchownat(AT_FDCWD, options->path, options->user, options->group, AT_SYMLINK_NOFOLLOW))
		return options->group == (gid_t)-1 ? 0600 : 0660;
	return errno == EPERM || errno == EINVAL ? 0666 : -errno;
}

/* Nobody can connect before listen(), so there is no moment with the wrong mode. */
static int finish(const struct listener_options *options, struct listener *listener)
{
	struct stat status;
	int mode = give(options);

	if (mode < 0)
		return mode;
	if (options->mode)
		mode = (int)options->mode;
	if (fchmodat(AT_FDCWD, options->path, (mode_t)mode, AT_SYMLINK_NOFOLLOW) ||
	    lstat(options->path, &status) || listen(listener->fd, BACKLOG))
		return -errno;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

int listener_open(const struct listener_options *options, struct listener *listener)
{
	const size_t length = strlen(options->path);
	const int off = 0;
	int error;

	*listener = (struct listener){.fd = -1};
	if (length >= sizeof(listener->address.sun_path))
		return -ENAMETOOLONG;
	listener->address.sun_family = AF_UNIX;
	memcpy(listener->address.sun_path, options->path, length + 1);

	listener->fd = new_socket(options->kind);
	if (listener->fd < 0)
		return listener->fd;
	/* Inherited by what is accepted. Older kernels do not know it, which is no error. */
	if (!options->takes_descriptors)
		setsockopt(listener->fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	error = bind_replacing(listener->fd, &listener->address, options->kind);
	if (!error) {
		error = finish(options, listener);
		if (error)
			unlink(options->path);
	}
	if (error) {
		close(listener->fd);
		listener->fd = -1;
	}
	return error;
}

void listener_unlink(const struct listener *listener)
{
	struct stat status;

	if (listener->fd >= 0 && !lstat(listener->address.sun_path, &status) &&
	    status.st_dev == listener->device && status.st_ino == listener->inode)
		unlink(listener->address.sun_path);
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	listener_unlink(listener);
	close(listener->fd);
	listener->fd = -1;
}

int listener_accept(const struct listener *listener)
{
	const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR ? -EAGAIN : -errno;
	return fd;
}

bool listener_accepted(const struct listener *listener, int fd)
{
	struct sockaddr_un address = {0};
	socklen_t bytes = sizeof(address);
	socklen_t int_bytes = sizeof(int);
	int domain = 0;
	int listens = 0;

	/* First: to ask a socket of another kind for its name may wait for who else uses it. */
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &int_bytes) || domain != AF_UNIX)
		return false;
	if (fd == listener->fd || getsockname(fd, (struct sockaddr *)&address, &bytes) ||
	    bytes <= offsetof(struct sockaddr_un, sun_path))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_bytes) || listens)
		return false;
	return !strncmp(address.sun_path, listener->address.sun_path, sizeof(address.sun_path));
}

int peer_read(int fd, struct peer *peer)
{
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);

	*peer = (struct peer){.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes))
		return -errno;
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	peer->gid = credentials.gid;
	bytes = 0;
	/* The first call only asks how many there are. */
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes))
		return 0;
	if (errno != ERANGE)
		return 0; /* a kernel that does not tell: then it has none */
	peer->groups = malloc(bytes);
	if (!peer->groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &bytes))
		return -errno;
	peer->num_groups = bytes / sizeof(*peer->groups);
	return 0;
}

void peer_free(struct peer *peer)
{
	free(peer->groups);
	peer->groups = NULL;
	peer->num_groups = 0;
}

static unsigned int read_id(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int id = OVERFLOW_ID;
	char line[32];

	if (file && fgets(line, sizeof(line), file))
		id = (unsigned int)strtoul(line, NULL, 10);
	if (file)
		fclose(file);
	return id;
}

struct peer_rules peer_rules_read(void)
{
	return (struct peer_rules){.own_user = geteuid(),
				   .overflow_user = read_id(OVERFLOW_UID),
				   .overflow_group = read_id(OVERFLOW_GID)};
}

static bool has_group(const struct peer *peer, gid_t group)
{
	for (size_t i = 0; i < peer->num_groups; i++)
		if (peer->groups[i] == group)
			return true;
	return peer->gid == group;
}

bool peer_is(const struct peer_rules *rules, const struct peer *peer, uid_t user, gid_t group)
{
	if (peer->uid == (uid_t)-1 || peer->uid == rules->overflow_user)
		return false;
	if (peer->uid == 0 || peer->uid == rules->own_user || peer->uid == user)
		return true;
	return group != (gid_t)-1 && group != rules->overflow_group && has_group(peer, group);
}
