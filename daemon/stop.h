/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signals that end crossvmd, SIGTERM and SIGINT. Until anything is made, they end the process at
 * once. While it is made they are blocked (holder_prepare()), and looked at between any two steps;
 * then the holder waits for them.
 */
#ifndef CROSSVM_DAEMON_STOP_H
#define CROSSVM_DAEMON_STOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* They end this process, even if it was started with them blocked. */
void stop_unblock(void);

/* Whether one of them waits. Changes nothing. */
bool stop_is_asked(void);

/* Have the one that waits. @return whether there was one. */
bool stop_take(siginfo_t *info);

#define STOP_REASON_BYTES 128

/*
 * Say which signal it was and who sent it: "SIGTERM from process 123, user 0". Opens nothing.
 */
void stop_reason(const siginfo_t *info, char text[STOP_REASON_BYTES]);

#endif
