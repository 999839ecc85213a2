/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/stop.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static sigset_t signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

void stop_unblock(void)
{
	const sigset_t set = signals();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool stop_is_asked(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

bool stop_take(siginfo_t *info)
{
	const sigset_t set = signals();
	const struct timespec now = {0};
	int signal;

	do
		signal = sigtimedwait(&set, info, &now);
	while (signal < 0 && errno == EINTR);
	return signal > 0;
}

void stop_reason(const siginfo_t *info, char text[STOP_REASON_BYTES])
{
	const char *signal = info->si_signo == SIGINT ? "SIGINT" : "SIGTERM";

	/* Only a process leaves its id; 0 is one of another PID namespace. */
	if (info->si_code > 0) {
		snprintf(text, STOP_REASON_BYTES, "%s from the kernel (a terminal?)", signal);
		return;
	}
	if (info->si_pid == 0) {
		snprintf(text, STOP_REASON_BYTES,
			 "%s from a process outside this PID namespace, user %u", signal,
			 info->si_uid);
		return;
	}
	/* Not its name: to look that up would open a file, which the holder must not (server/holder.h). */
	snprintf(text, STOP_REASON_BYTES, "%s from process %d, user %u", signal, (int)info->si_pid,
		 info->si_uid);
}
