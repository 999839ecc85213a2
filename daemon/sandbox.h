/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker and a closer may ask of the kernel: to receive, send, accept, wait, close, read and write
 * what they have open, for memory that is not executable, and for their own end. No file, no program, no
 * other process.
 *
 * A call that is not allowed fails with EPERM, and is said in the log, loudly: it is a mistake of ours, or
 * somebody has taken the process over.
 */
#ifndef CROSSVM_DAEMON_SANDBOX_H
#define CROSSVM_DAEMON_SANDBOX_H

#include "daemon/log.h"
#include "server/holder.h"

struct sandbox;

/* Prepare the filters, so that entering takes no time. @return 0 or -errno. */
int sandbox_create(struct sandbox **sandbox, const struct log *log);
void sandbox_destroy(struct sandbox *sandbox);

/* For this process, and for good. @return 0 or -errno. */
int sandbox_enter(struct sandbox *sandbox, enum holder_role role);

#endif
