/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/listener.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

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

static int set_owner_and_mode(const struct wire_listener_options *options)
{
	mode_t mode = options->mode;

	/* Not fatal: the mode and the check of credentials decide who gets in. */
	if (options->allowed_group != (gid_t)-1 &&
	    chown(options->path, (uid_t)-1, options->allowed_group))
		mode = mode ? mode : 0666;
	if (!mode)
		mode = options->anyone || options->allowed_user != (uid_t)-1 ? 0666
		       : options->allowed_group != (gid_t)-1                 ? 0660
									     : 0600;
	return chmod(options->path, mode) ? -errno : 0;
}

int wire_listen(const struct wire_listener_options *options, struct wire_listener *listener)
{
	const size_t length = strlen(options->path);
	struct stat status;
	int error;

	*listener = (struct wire_listener){.fd = -1,
					   .allowed_user = options->allowed_user,
					   .allowed_group = options->allowed_group,
					   .anyone = options->anyone};
	if (length >= sizeof(listener->address.sun_path))
		return -ENAMETOOLONG;
	listener->address.sun_family = AF_UNIX;
	memcpy(listener->address.sun_path, options->path, length + 1);

	listener->fd = new_socket(options->kind);
	if (listener->fd < 0)
		return listener->fd;
	error = bind_replacing(listener->fd, &listener->address, options->kind);
	if (error)
		goto close_socket;
	/* Nobody can connect before listen(), so there is no moment with the wrong mode. */
	error = set_owner_and_mode(options);
	if (!error && (stat(options->path, &status) || listen(listener->fd, BACKLOG)))
		error = -errno;
	if (error)
		goto remove_file;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;

remove_file:
	unlink(options->path);
close_socket:
	close(listener->fd);
	listener->fd = -1;
	return error;
}

void wire_listener_close(struct wire_listener *listener)
{
	struct stat status;

	if (listener->fd < 0)
		return;
	if (!lstat(listener->address.sun_path, &status) && status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		unlink(listener->address.sun_path);
	close(listener->fd);
	listener->fd = -1;
}

int wire_accept(const struct wire_listener *listener, struct wire_peer *peer)
{
	const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR ? -EAGAIN : -errno;
	if (peer && wire_peer_of(fd, peer))
		*peer = (struct wire_peer){.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
	if (listener->anyone || wire_peer_is(fd, listener->allowed_user, listener->allowed_group) ||
	    wire_peer_is(fd, geteuid(), (gid_t)-1))
		return fd;
	close(fd);
	return -EACCES;
}

bool wire_accepted_from(const struct wire_listener *listener, int fd)
{
	struct sockaddr_un address = {0};
	socklen_t bytes = sizeof(address);
	int listens = 0;
	socklen_t listens_bytes = sizeof(listens);

	if (fd == listener->fd || getsockname(fd, (struct sockaddr *)&address, &bytes) ||
	    address.sun_family != AF_UNIX || bytes <= offsetof(struct sockaddr_un, sun_path))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_bytes) || listens)
		return false;
	return !strncmp(address.sun_path, listener->address.sun_path, sizeof(address.sun_path));
}

int wire_peer_of(int fd, struct wire_peer *peer)
{
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes))
		return -errno;
	*peer = (struct wire_peer){
		.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
	return 0;
}

static bool peer_has_group(int fd, gid_t group)
{
	socklen_t bytes = 0;
	gid_t *groups;
	bool found = false;

	/* The first call only asks how many there are. */
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) || errno != ERANGE)
		return false;
	groups = malloc(bytes);
	if (!groups)
		return false;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes))
		for (size_t i = 0; i < bytes / sizeof(*groups); i++)
			found |= groups[i] == group;
	free(groups);
	return found;
}

bool wire_peer_is(int fd, uid_t user, gid_t group)
{
	struct wire_peer peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};

	if (wire_peer_of(fd, &peer))
		return false;
	if (peer.uid == 0 || (user != (uid_t)-1 && peer.uid == user))
		return true;
	return group != (gid_t)-1 && (peer.gid == group || peer_has_group(fd, group));
}
