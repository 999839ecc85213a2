/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that shares its descriptors with the test, and its memory mappings that are shared, and
 * is killed (SIGKILL) at an exact point: after so many instructions or system calls.
 */
#ifndef CROSSVM_TESTS_WIRE_VICTIM_H
#define CROSSVM_TESTS_WIRE_VICTIM_H

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum victim_unit {
	VICTIM_INSTRUCTIONS = PTRACE_SINGLESTEP,
	VICTIM_SYSCALLS = PTRACE_SYSCALL, /* twice each: at its beginning and its end */
};

/* As fork(), but sharing the descriptor table. */
static inline pid_t victim_clone(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

/*
 * Run work in such a process and kill it after `after` units, or let it finish.
 *
 * @return how many units it lived; `after` if it was killed.
 */
static inline unsigned long victim_run(void (*work)(void *context), void *context,
				       enum victim_unit unit, unsigned long after)
{
	const pid_t pid = victim_clone();
	unsigned long lived = 0;
	int status;

	if (pid < 0)
		abort();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
		work(context);
		syscall(SYS_exit_group, 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		abort();
	while (lived < after) {
		if (ptrace((enum __ptrace_request)unit, pid, NULL, NULL) ||
		    waitpid(pid, &status, 0) != pid)
			abort();
		if (WIFEXITED(status))
			return lived;
		if (!WIFSTOPPED(status))
			abort();
		lived++;
	}
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		abort();
	return lived;
}

/*
 * Call once with each point at which a process can be killed: every system call, and, since those of
 * instructions are many, `points` of them spread evenly; CROSSVM_TEST_EVERY_INSTRUCTION=N in the
 * environment asks for every Nth instead.
 */
static inline void victim_everywhere(unsigned long (*once)(enum victim_unit unit,
							   unsigned long after),
				     unsigned long points)
{
	const char *every = getenv("CROSSVM_TEST_EVERY_INSTRUCTION");
	const unsigned long calls = once(VICTIM_SYSCALLS, ~0ul);
	const unsigned long instructions = once(VICTIM_INSTRUCTIONS, ~0ul);
	unsigned long stride = every ? strtoul(every, NULL, 10) : instructions / points;

	for (unsigned long after = 0; after < calls; after++)
		once(VICTIM_SYSCALLS, after);
	for (unsigned long after = 0; after < instructions; after += stride ? stride : 1)
		once(VICTIM_INSTRUCTIONS, after);
}

#endif
