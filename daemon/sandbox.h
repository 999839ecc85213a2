/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker may ask of the kernel: receive, send, accept, wait, close, read and write what it
 * has open, memory that is not executable, and its own end. No file, no program, no other process.
 */
#ifndef CROSSVM_DAEMON_SANDBOX_H
#define CROSSVM_DAEMON_SANDBOX_H

struct sandbox;

/* Prepare the filter, so that entering takes no time. @return 0 or -errno. */
int sandbox_create(struct sandbox **sandbox);
void sandbox_destroy(struct sandbox *sandbox);

/* For this process, and for good. @return 0 or -errno. */
int sandbox_enter(struct sandbox *sandbox);

#endif
