/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directory that the daemon's sockets are in. The rule for it, since sockets are made in it by
 * path, perhaps by root:
 *
 *  - It is no symbolic link, belongs to root, to the user who starts the daemon or to the user whom
 *    the daemon becomes, and nobody else may write to it.
 *  - Nobody else can put another one in its place: each directory on its path, and each symbolic link,
 *    belongs to one of the three or to the owner of "/"; and only its owner may write to it, unless it
 *    is sticky as /tmp is.
 *
 * Owner and mode are looked at, and changed, by descriptor.
 */
#ifndef CROSSVM_DAEMON_DIRECTORY_H
#define CROSSVM_DAEMON_DIRECTORY_H

#include "daemon/log.h"
#include "daemon/rights.h"

/* The file that is locked. A VM's name cannot begin with a dot. */
#define DIRECTORY_LOCK_NAME ".crossvmd.lock"

struct directory {
	const char *path; /* as it was named */
	int fd;           /* -1: not open */
	int lock_fd;      /* holds the lock while any process has it open; -1: not locked */
};

/*
 * The default: /run/crossvm for root (systemd makes it for others), else $XDG_RUNTIME_DIR/crossvm.
 *
 * @return a string to be freed; NULL without memory.
 */
char *directory_default(void);

/*
 * Make the directory, mode 0755, if its parent is there and it is not; check it and its parents by the
 * rule above; lock it against other daemons.
 *
 * @path: must outlive the directory.
 * @group: the only group, besides the owner, that may reach what is in it: the directory is given to
 *   that group with mode 0750. (gid_t)-1: the directory's mode is for those who made it to choose.
 * @return 0, or after a message -EUSERS (another daemon serves it), -EINVAL (it will not do until
 *   somebody corrects it) or another -errno; directory_close() is fine in all cases.
 */
int directory_open(struct directory *directory, const char *path, gid_t group,
		   const struct rights *rights, const struct log *log);

/* Remove the lock's file, if this process may, and let others serve the directory. */
void directory_close(struct directory *directory);

#endif
