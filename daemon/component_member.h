/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A component as a member of a connection: a device as a VM has it, whose status page the component's
 * processes get read-only, and which interrupts by their eventfds.
 */
#ifndef CROSSVM_DAEMON_COMPONENT_MEMBER_H
#define CROSSVM_DAEMON_COMPONENT_MEMBER_H

#include "daemon/route.h"

/* @return 0 or -errno. component_member_destroy() is fine in both cases. */
int component_member_create(struct route_member *member);
void component_member_destroy(struct route_member *member);

/* In a new worker, between server_renew() and server_sort_out(). */
void component_member_resume(struct route_member *member);

/* The status page, read-only. */
int component_member_page(const struct route_member *member);

#endif
