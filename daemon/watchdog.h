/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write that cannot wait, to an eventfd, can be made to wait by an ill-willed client, which shares
 * the eventfd's flags. The watchdog ends such a write: while the worker is busy, a signal comes ten
 * times a second, and a system call that waits then returns EINTR. A worker that sleeps has no timer.
 */
#ifndef CROSSVM_DAEMON_WATCHDOG_H
#define CROSSVM_DAEMON_WATCHDOG_H

/* Install the signal's handler. @return 0 or -errno. */
int watchdog_create(void);

/* This process begins to work, or is about to sleep. */
void watchdog_start(void);
void watchdog_stop(void);

#endif
