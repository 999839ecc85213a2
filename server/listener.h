/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listening Unix socket, and who is at the other end of a connected one. A stale socket file is
 * replaced, a live one is not.
 *
 * Thread-safety: none needed, nothing is shared; a listener is constant after listener_open().
 */
#ifndef CROSSVM_SERVER_LISTENER_H
#define CROSSVM_SERVER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "server/wire.h"

struct listener_options {
	enum wire_kind kind;
	const char *path; /* at most sizeof(sockaddr_un.sun_path) - 1 bytes */
	/* Whose the file is to be; -1: as it comes. */
	uid_t user;
	gid_t group;
	/*
	 * Its mode; 0: only user and group can connect, or, where this process may not give the file to
	 * them, everybody can. Who connects is to be checked in any case.
	 */
	mode_t mode;
	/*
	 * Clients send descriptors. Where they do not, the kernel refuses to (Linux 6.16 and newer):
	 * then nothing that a client sends can hold up who drops it.
	 */
	bool takes_descriptors;
};

struct listener {
	int fd; /* -1: none */
	struct sockaddr_un address;
	dev_t device; /* of the socket's file, so that only this one is removed */
	ino_t inode;
};

/*
 * Listen.
 *
 * @return 0, or -ENAMETOOLONG, -EADDRINUSE (a live process listens there), -EEXIST (there is a file
 *   that is not a socket), -EACCES, -ENOENT (no such directory) and the like.
 */
int listener_open(const struct listener_options *options, struct listener *listener);

/* Remove the socket's file, unless somebody has replaced it. */
void listener_unlink(const struct listener *listener);
/* The same, and stop listening. Does nothing if fd is -1. */
void listener_close(struct listener *listener);

/* @return the socket of a client, not yet checked, or -EAGAIN (nobody there), -EMFILE and the like. */
int listener_accept(const struct listener *listener);

/* Whether the descriptor is a socket that was accepted from this listener. */
bool listener_accepted(const struct listener *listener, int fd);

/* Who connected. */
struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* the supplementary ones */
	size_t num_groups;
};

/*
 * Who is at the other end of a connected Unix socket: three system calls. @peer: without groups, and
 * with ids of -1, if that fails; peer_free() is fine in both cases.
 *
 * @return 0 or -errno.
 */
int peer_read(int fd, struct peer *peer);
void peer_free(struct peer *peer);

/*
 * What this process must know to say who somebody is. In a user namespace, all users that are not
 * mapped look alike: as the overflow uid. So that one is never anybody.
 */
struct peer_rules {
	uid_t own_user;       /* this process's effective user, who may do what it does */
	uid_t overflow_user;  /* /proc/sys/kernel/overflowuid */
	gid_t overflow_group; /* likewise */
};

struct peer_rules peer_rules_read(void);

/* Whether it is root, this process's user, the user, or in the group; -1: nobody. */
bool peer_is(const struct peer_rules *rules, const struct peer *peer, uid_t user, gid_t group);

#endif
