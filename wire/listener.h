/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listening Unix socket: made so that a stale one is replaced and a live one is not, with checked
 * credentials of whoever connects. Its descriptor outlives the process as struct wire's does.
 *
 * Thread-safety: none needed, nothing is shared; a listener is constant after wire_listen().
 */
#ifndef CROSSVM_WIRE_LISTENER_H
#define CROSSVM_WIRE_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "wire/wire.h"

struct wire_listener_options {
	enum wire_kind kind;
	const char *path; /* at most sizeof(sockaddr_un.sun_path) - 1 bytes */
	/* Who may connect, besides root and this process's effective user; -1: nobody else. */
	uid_t allowed_user;
	gid_t allowed_group;
	/* The socket's mode; 0: 0600, with an allowed_group 0660, with an allowed_user 0666. */
	mode_t mode;
	bool anyone; /* no check by wire_accept(); the caller checks */
};

struct wire_listener {
	int fd; /* -1: none */
	struct sockaddr_un address;
	uid_t allowed_user;
	gid_t allowed_group;
	bool anyone;
	dev_t device; /* of the socket's file, so that only this one is removed */
	ino_t inode;
};

/* Who is at the other end of a connected socket. */
struct wire_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/*
 * Listen. A socket file that nobody listens on any more is replaced; the group of the file is set
 * to allowed_group where this process may do that.
 *
 * @return 0, or -ENAMETOOLONG, -EADDRINUSE (a live process listens there), -EEXIST (there is a file
 *   that is not a socket), -EACCES, -ENOENT (no such directory) and the like.
 */
int wire_listen(const struct wire_listener_options *options, struct wire_listener *listener);

/* Stop listening and remove the socket's file, unless somebody has replaced it. */
void wire_listener_close(struct wire_listener *listener);

/*
 * Accept a client that may connect.
 *
 * @peer: set to who it is, also when it may not; NULL is accepted.
 * @return its socket, or -EACCES (it may not, and is disconnected), -EAGAIN (nobody there),
 *   -EMFILE and the like.
 */
int wire_accept(const struct wire_listener *listener, struct wire_peer *peer);

/* Whether the descriptor is a socket that was accepted from this listener. */
bool wire_accepted_from(const struct wire_listener *listener, int fd);

/* Who is at the other end of a connected Unix socket; 0 or -errno. */
int wire_peer_of(int fd, struct wire_peer *peer);

/* Whether the process at the other end is root, has the user, or is in the group; -1: nobody. */
bool wire_peer_is(int fd, uid_t user, gid_t group);

#endif
