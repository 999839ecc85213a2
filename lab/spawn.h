/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper's child processes. None outlives the keeper: the kernel kills them with it, and the
 * guard (lab/guard.h) sees to those that have changed their user meanwhile.
 */
#ifndef CROSSVM_LAB_SPAWN_H
#define CROSSVM_LAB_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

struct lab_spawn {
	const char *const *argv; /* argv[0]: path of the program; ended by NULL */
	const char *cwd;         /* NULL: as it is */
	const char *log;         /* file for its standard output and error, appended to */
	const char *notify;      /* value of NOTIFY_SOCKET; NULL: unset */
	const int *fds;          /* passed on under their numbers */
	size_t num_fds;
};

/* As execv() wants its arguments, which it does not change. */
static inline char *const *lab_exec_args(const char *const *argv)
{
	union {
		const char *const *ours;
		char *const *theirs;
	} args = {.ours = argv};

	return args.theirs;
}

struct lab_process {
	pid_t pid; /* 0: none */
	int pidfd;
};

/* @return 0 or -errno. */
int lab_process_start(struct lab_process *process, const struct lab_spawn *spawn);

/* Reap it if it has ended. @return whether it has; *status then as of waitpid(). */
int lab_process_reap(struct lab_process *process, int *status);

/* Send a signal, if it runs. */
void lab_process_signal(const struct lab_process *process, int signal_number);

/* How it ended, as text: "exit status 1", "signal 9". */
void lab_describe_status(int status, char *text, size_t bytes);

#endif
