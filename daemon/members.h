/* SPDX-License-Identifier: BSD-2-Clause */
/* From the system file's connections to dataports, VMs with devices, and members to route between. */
#ifndef CROSSVM_DAEMON_MEMBERS_H
#define CROSSVM_DAEMON_MEMBERS_H

#include "daemon/daemon.h"

/* Fills daemon->route and daemon->vms. @return 0, or -errno after a message. */
int members_create(struct daemon *daemon, const struct rights *rights);
/* Accepts what is made in part. */
void members_destroy(struct daemon *daemon);

#endif
