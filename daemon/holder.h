/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that owns every descriptor and does nothing but wait: when the worker dies, it starts
 * another; when told to stop, it stops the worker.
 */
#ifndef CROSSVM_DAEMON_HOLDER_H
#define CROSSVM_DAEMON_HOLDER_H

#include "daemon/notify.h"
#include "daemon/sandbox.h"
#include "daemon/server.h"

/* Block the signals that holder_run() waits for, so that none is missed before. */
void holder_prepare(void);

/*
 * Keep workers going until told to stop.
 *
 * @notify: the service manager is told of the end, and that this process goes on if it wants to hear
 *   that.
 * @return 0, or -errno after a message.
 */
int holder_run(struct server *server, struct sandbox *sandbox, const struct notify *notify);

#endif
