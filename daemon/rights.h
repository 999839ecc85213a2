/* SPDX-License-Identifier: BSD-2-Clause */
/* What crossvmd may do: which user it becomes, how many descriptors it may open. */
#ifndef CROSSVM_DAEMON_RIGHTS_H
#define CROSSVM_DAEMON_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/log.h"

#define RIGHTS_DEFAULT_USER "crossvm"

struct rights {
	bool drop; /* started as root: become user and group */
	uid_t user;
	gid_t group;
};

/*
 * Decide who to become.
 *
 * @user, @group: what was asked for, NULL if nothing. Without root nothing may be asked for; as root,
 *   NULL means RIGHTS_DEFAULT_USER. Root is kept if it was asked for as "root" (or 0), or if nothing
 *   was asked for and this user namespace has no such user, which is said in the log.
 * @return 0, or after a message -EINVAL (it will not do until somebody corrects it) or another -errno.
 */
int rights_choose(struct rights *rights, const char *user, const char *group,
		  const struct log *log);

/* The number of a group. @return 0, or after a message -EINVAL. */
int rights_find_group(const char *name, gid_t *group, const struct log *log);

/*
 * Become user and group for good: no other groups, no capabilities, none to be had by starting
 * programs. Groups that a user namespace does not allow to give up are kept, which is said in the log.
 *
 * @return 0, or -errno after a message.
 */
int rights_drop(const struct rights *rights, const struct log *log);

/*
 * Have the kernel, if it has to kill a process for memory, choose this one rather than the one that
 * started it: as a worker can be replaced, and the holder cannot. Where the kernel does not let it, nothing
 * changes.
 */
void rights_be_killed_first(void);

/*
 * Be allowed to have `needed` descriptors open, and no more.
 *
 * @return 0, or -EMFILE after a message that says which limit stands in the way.
 */
int rights_set_descriptors(size_t needed, const struct log *log);

#endif
