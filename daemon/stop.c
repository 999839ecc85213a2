/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/stop.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/*
 * The name of a process's program, from a link: nothing is opened for it, since that would be in the
 * descriptor table that a worker may be sorting out (server/holder.h). "" if the process has gone, or is
 * somebody else's.
 */
static void read_name(pid_t pid, char *name, size_t room)
{
	char path[32];
	char program[256];
	const char *base;
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	bytes = readlink(path, program, sizeof(program) - 1);
	program[bytes < 0 ? 0 : bytes] = '\0';
	base = strrchr(program, '/');
	snprintf(name, room, "%.*s", (int)room - 1, base == NULL ? program : base + 1);
	for (char *c = name; *c != '\0'; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
}

void stop_reason(const siginfo_t *info, char text[STOP_REASON_BYTES])
{
	const char *signal = info->si_signo == SIGINT ? "SIGINT" : "SIGTERM";
	char name[32];

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
	read_name(info->si_pid, name, sizeof(name));
	snprintf(text, STOP_REASON_BYTES, "%s from process %d%s%s%s, user %u", signal,
		 (int)info->si_pid, name[0] == '\0' ? "" : " (", name, name[0] == '\0' ? "" : ")",
		 info->si_uid);
}
