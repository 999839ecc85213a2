/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory that the daemon's sockets are in. */
#ifndef CROSSVM_DAEMON_DIRECTORY_H
#define CROSSVM_DAEMON_DIRECTORY_H

#include "daemon/log.h"
#include "daemon/rights.h"

/*
 * The default: /run/crossvm for root (systemd makes it for others), else $XDG_RUNTIME_DIR/crossvm.
 *
 * @return a string to be freed; NULL without memory.
 */
char *directory_default(void);

/*
 * Make the directory if its parent is there and it is not, and lock it against other daemons.
 *
 * @return a descriptor that holds the lock, or -errno after a message.
 */
int directory_lock(const char *path, const struct rights *rights, const struct log *log);

#endif
