/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* After <sys/ptrace.h>, whose names it takes for its own otherwise. */
#include <linux/ptrace.h>

#include "tests/daemon/support.h"

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define PATIENCE_MS  60000

static struct calls_of *find(struct calls *calls, pid_t pid)
{
	for (size_t i = 0; i < calls->num_processes; i++)
		if (calls->of[i].pid == pid)
			return &calls->of[i];
	if (calls->num_processes == CALLS_MAX_PROCESSES)
		return NULL;
	calls->of[calls->num_processes].pid = pid;
	return &calls->of[calls->num_processes++];
}

static bool sends(uint64_t number)
{
	return number == SYS_sendmmsg || number == SYS_sendmsg || number == SYS_sendto;
}

static bool waits(uint64_t number)
{
#ifdef SYS_epoll_wait
	if (number == SYS_epoll_wait || number == SYS_poll)
		return true;
#endif
	return number == SYS_epoll_pwait || number == SYS_ppoll;
}

static void count(struct calls *calls, pid_t pid)
{
	struct ptrace_syscall_info info = {0};
	struct calls_of *of = find(calls, pid);

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0 || of == NULL ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr >= CALLS_MAX_NUMBER)
		return;
	of->has_answered |= sends(info.entry.nr);
	of->before_answer += !of->has_answered;
	of->counts[info.entry.nr]++;
	of->total++;
	if (waits(info.entry.nr))
		of->writes = 0;
	if (info.entry.nr == SYS_write && ++of->writes > of->most_writes)
		of->most_writes = of->writes;
}

/* @return the signal to go on with. */
static long handle(struct calls *calls, pid_t pid, int status)
{
	if (WSTOPSIG(status) == SYSCALL_STOP) {
		count(calls, pid);
		return 0;
	}
	/* Ptrace's own stops have an event, others are signals on their way. */
	return status >> 16 == 0 ? WSTOPSIG(status) : 0;
}

static void note_end(struct calls *calls, pid_t pid, int status)
{
	struct calls_of *of = find(calls, pid);

	if (of == NULL)
		return;
	of->status = status;
	atomic_store(&of->has_ended, true);
}

static bool attach(const struct calls *calls, pid_t pid)
{
	const long options = PTRACE_O_TRACESYSGOOD |
			     (calls->follow ? PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK : 0);
	int status;

	return ptrace(PTRACE_SEIZE, pid, NULL, options) == 0 &&
	       ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 &&
	       waitpid(pid, &status, __WALL) == pid && ptrace(PTRACE_SYSCALL, pid, NULL, 0L) == 0;
}

static void detach(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0)
		return; /* it has ended */
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		const long signal = status >> 16 == 0 && WSTOPSIG(status) != SYSCALL_STOP
					    ? WSTOPSIG(status)
					    : 0;

		if (ptrace(PTRACE_DETACH, pid, NULL, signal) == 0)
			return;
	}
}

static void *trace(void *context)
{
	struct calls *calls = context;
	const size_t first = calls->num_processes;

	for (size_t i = 0; i < first && !calls->failed; i++)
		calls->failed = !attach(calls, calls->of[i].pid);
	pthread_barrier_wait(&calls->begun);
	while (!calls->failed && !atomic_load(&calls->end)) {
		int status;
		/* Of this thread's children, which are those it traces. */
		const pid_t pid = waitpid(-1, &status, __WALL | __WNOTHREAD);

		if (pid < 0 && errno == ECHILD)
			break;
		if (pid > 0 && WIFSTOPPED(status))
			ptrace(PTRACE_SYSCALL, pid, NULL, handle(calls, pid, status));
		else if (pid > 0)
			note_end(calls, pid, status);
	}
	for (size_t i = 0; i < calls->num_processes; i++)
		if (!calls->of[i].has_ended)
			detach(calls->of[i].pid);
	atomic_store(&calls->ended, true);
	return NULL;
}

static void interrupt(int signal)
{
	(void)signal; /* that the system call returns is all it is for */
}

void calls_begin(struct calls *calls, pid_t one, pid_t other, bool follow)
{
	const struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */

	*calls = (struct calls){.follow = follow};
	find(calls, one);
	if (other > 0)
		find(calls, other);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	pthread_barrier_init(&calls->begun, NULL, 2);
	assert_int_equal(pthread_create(&calls->thread, NULL, trace, calls), 0);
	pthread_barrier_wait(&calls->begun);
	pthread_barrier_destroy(&calls->begun);
}

void calls_end(struct calls *calls)
{
	atomic_store(&calls->end, true);
	/* Again and again: one alone might come just before the thread waits. */
	while (!atomic_load(&calls->ended)) {
		pthread_kill(calls->thread, SIGUSR1);
		usleep(1000);
	}
	pthread_join(calls->thread, NULL);
	assert_false(calls->failed);
}

const struct calls_of *calls_of(const struct calls *calls, pid_t pid)
{
	static const struct calls_of none;

	for (size_t i = 0; i < calls->num_processes; i++)
		if (calls->of[i].pid == pid)
			return &calls->of[i];
	return &none;
}

int calls_wait_exit(const struct calls *calls, pid_t pid)
{
	const struct calls_of *of = calls_of(calls, pid);

	for (int i = 0; i < PATIENCE_MS && !atomic_load(&of->has_ended); i++)
		usleep(1000);
	assert_true(atomic_load(&of->has_ended));
	return of->status;
}
