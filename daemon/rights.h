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
 *   NULL means RIGHTS_DEFAULT_USER. Only "root" (or 0) itself keeps root.
 * @return 0, or -errno after a message.
 */
int rights_choose(struct rights *rights, const char *user, const char *group,
		  const struct log *log);

/*
 * Become user and group for good: no other groups, no capabilities, none to be had by starting
 * programs. @return 0, or -errno after a message.
 */
int rights_drop(const struct rights *rights, const struct log *log);

/* Be allowed to have `needed` descriptors open. @return 0, or -errno after a message. */
int rights_raise_descriptors(size_t needed, const struct log *log);

#endif
