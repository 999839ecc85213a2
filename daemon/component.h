/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's side of crossvm/abi_component.h: what a client's message does. */
#ifndef CROSSVM_DAEMON_COMPONENT_H
#define CROSSVM_DAEMON_COMPONENT_H

#include "daemon/clients.h"

/*
 * Apply a client's message, which may have been applied in part by a worker that died.
 *
 * @return 0, -EAGAIN (the answer waits until the client reads), -EINPROGRESS (something else has to be
 *   done before: apply it again in the next turn), or another -errno: the client is to
 *   be disconnected; if it was told why, that stands in its socket.
 */
int component_apply(struct client *client, struct wire_message *message);

/* Fill in a failure; @return its size. */
size_t component_failure(struct crossvm_component_failure *failure, int error, const char *message);

/* Give back what the client has opened; repeating it does no harm. */
void component_close(struct client *client);

#endif
