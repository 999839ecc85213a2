/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts the system calls of the daemon's processes, as ptrace shows them: what a test has to say of the
 * cost of something, it says in calls, not in time.
 */
#ifndef TESTS_HOSTILE_CALLS_H
#define TESTS_HOSTILE_CALLS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/types.h>

#define CALLS_MAX_NUMBER    512u
#define CALLS_MAX_PROCESSES 16u

/* Of one process. */
struct calls_of {
	pid_t pid;
	unsigned int counts[CALLS_MAX_NUMBER]; /* by system call, as they begin */
	unsigned int total;
	unsigned int before_answer; /* until the first that sends something */
	bool has_answered;
	unsigned int writes;      /* since it has last waited for events */
	unsigned int most_writes; /* between two calls that wait for events */
	_Atomic bool has_ended;
	int status; /* as of wait(); valid once it has ended, and nobody else will get it */
};

struct calls {
	struct calls_of of[CALLS_MAX_PROCESSES];
	size_t num_processes;
	/* of the tracer */
	pthread_t thread;
	pthread_barrier_t begun;
	_Atomic bool end;
	_Atomic bool ended;
	bool follow;
	bool failed;
};

/*
 * Begin to count calls of up to two processes (0: none).
 *
 * @follow: also those of processes that they start from now on.
 */
void calls_begin(struct calls *calls, pid_t one, pid_t other, bool follow);
/* Stop; from now on the counts may be read. Processes that have ended meanwhile are fine. */
void calls_end(struct calls *calls);
/* Of a process; of one that did nothing, zeroes. */
const struct calls_of *calls_of(const struct calls *calls, pid_t pid);
/* Wait for the end of a process whose calls are counted. @return its status, as of wait(). */
int calls_wait_exit(const struct calls *calls, pid_t pid);

#endif
