/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that shares its descriptors with the test, and its memory mappings that are shared, and
 * is killed (SIGKILL) at an exact point: after so many system calls, and then so many instructions.
 */
#ifndef CROSSVM_TESTS_SERVER_VICTIM_H
#define CROSSVM_TESTS_SERVER_VICTIM_H

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define VICTIM_NO_LIMIT ~0ul

/*
 * A point of its life. It stops twice at each system call, at its beginning and at its end: it gets from
 * stop to stop at full speed, and only from there on by single steps.
 */
struct victim_point {
	unsigned long stops;
	unsigned long instructions; /* without limit: up to the next system call */
};

/* As fork(), but sharing the descriptor table. */
static inline pid_t victim_clone(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

/* @return whether it lives, and stands where it was sent. */
static inline bool victim_goes(pid_t pid, enum __ptrace_request how)
{
	int status;

	if (ptrace(how, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFEXITED(status))
		return false;
	if (!WIFSTOPPED(status))
		abort();
	return true;
}

/* Is its next instruction a system call? */
static inline bool victim_calls(pid_t pid)
{
	struct __ptrace_syscall_info at;
	uint32_t instruction;
	long word;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(at), &at) <= 0)
		abort();
	word = ptrace(PTRACE_PEEKTEXT, pid, at.instruction_pointer, NULL);
	memcpy(&instruction, &word, sizeof(instruction));
#if defined(__x86_64__)
	return (instruction & 0xffff) == 0x050f;
#elif defined(__aarch64__)
	return instruction == 0xd4000001;
#else
#error "write down the instruction of a system call"
#endif
}

/*
 * Run work in such a process and kill it at a point, or let it finish.
 *
 * @return how far it came; the same point if it was killed there.
 */
static inline struct victim_point victim_run(void (*work)(void *context), void *context,
					     struct victim_point point)
{
	const pid_t pid = victim_clone();
	struct victim_point lived = {0, 0};
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
	for (; lived.stops < point.stops; lived.stops++)
		if (!victim_goes(pid, PTRACE_SYSCALL))
			return lived;
	for (; lived.instructions < point.instructions; lived.instructions++) {
		if (point.instructions == VICTIM_NO_LIMIT && victim_calls(pid))
			break;
		if (!victim_goes(pid, PTRACE_SINGLESTEP))
			return lived;
	}
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		abort();
	return lived;
}

/*
 * Call once with each point at which a process can be killed: before and after every system call, and,
 * since those of instructions are many, at `points` of them spread evenly between each call and the next;
 * CROSSVM_TEST_EVERY_INSTRUCTION=N in the environment asks for every Nth instead.
 */
static inline void victim_everywhere(struct victim_point (*once)(struct victim_point point),
				     unsigned long points)
{
	const char *text = getenv("CROSSVM_TEST_EVERY_INSTRUCTION");
	const unsigned long every = text ? strtoul(text, NULL, 10) : 0;
	const unsigned long stops = once((struct victim_point){VICTIM_NO_LIMIT, 0}).stops;
	unsigned long next = every;

	/* The last stop is at the beginning of its exit. */
	for (unsigned long stop = 0; stop < stops; stop += 2) {
		unsigned long between;

		once((struct victim_point){stop, 0});
		between = once((struct victim_point){stop, VICTIM_NO_LIMIT}).instructions;
		for (unsigned long i = 1; !every && i <= points; i++)
			once((struct victim_point){stop, between * i / (points + 1)});
		for (; every && next < between; next += every)
			once((struct victim_point){stop, next});
		next -= every ? between : 0;
	}
}

#endif
