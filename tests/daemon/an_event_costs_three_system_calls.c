/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One event from VM to VM: the worker wakes (epoll_wait), receives (recvmmsg), interrupts (write).
 * Nothing else, however many connections there are, but for the worker's tick: when it comes, it finds the
 * worker waiting, and is stopped and started again.
 */
#include "vm.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* After <sys/ptrace.h>, whose names it takes for its own otherwise. */
#include <linux/ptrace.h>

#define CONNECTIONS  32
#define LAST         "c31"
#define EVENTS       1000u
#define MAX_CALLS    512
#define SYSCALL_STOP (SIGTRAP | 0x80)
#define PATIENCE_MS  60000

/* How the C library does what newer architectures have one system call for. */
#ifdef SYS_epoll_wait
#define CALL_EPOLL SYS_epoll_wait
#define CALL_POLL  SYS_poll
#else
#define CALL_EPOLL SYS_epoll_pwait
#define CALL_POLL  SYS_ppoll
#endif

struct tracer {
	pid_t worker;
	pthread_barrier_t attached;
	unsigned int counts[MAX_CALLS]; /* by number; valid once the thread has ended */
	bool failed;
};

/* Count system calls as they begin. @return whether to go on. */
static bool count(struct tracer *tracer, int status, int *signal)
{
	struct ptrace_syscall_info info = {0};

	*signal = 0;
	if (WSTOPSIG(status) != SYSCALL_STOP) {
		/* Its own stops have an event, others are signals on their way. */
		if (status >> 16 == 0)
			*signal = WSTOPSIG(status);
		return true;
	}
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tracer->worker, (void *)sizeof(info), &info) < 0)
		return false;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return true;
	if (info.entry.nr >= MAX_CALLS)
		return false;
	if (info.entry.nr == CALL_EPOLL && tracer->counts[SYS_write] == EVENTS)
		return false;
	tracer->counts[info.entry.nr]++;
	return true;
}

static void *trace(void *context)
{
	struct tracer *tracer = context;
	int signal = 0;
	int status;

	tracer->failed = ptrace(PTRACE_SEIZE, tracer->worker, NULL, PTRACE_O_TRACESYSGOOD) != 0 ||
			 ptrace(PTRACE_INTERRUPT, tracer->worker, NULL, NULL) != 0 ||
			 waitpid(tracer->worker, &status, __WALL) != tracer->worker;
	pthread_barrier_wait(&tracer->attached);
	while (!tracer->failed) {
		if (ptrace(PTRACE_SYSCALL, tracer->worker, NULL, (long)signal) != 0 ||
		    waitpid(tracer->worker, &status, __WALL) != tracer->worker ||
		    !WIFSTOPPED(status))
			tracer->failed = true;
		else if (!count(tracer, status, &signal))
			break;
	}
	ptrace(PTRACE_DETACH, tracer->worker, NULL, 0L);
	return NULL;
}

/* An event takes its time; the next one comes after it has arrived. */
static void one_event(struct vm *from, const struct vm *to)
{
	struct pollfd ready = {.fd = to->interrupt, .events = POLLIN};
	uint64_t interrupts;

	vm_write_register(from, CROSSVM_REG_EMIT, 1, true);
	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_int_equal(read(to->interrupt, &interrupts, sizeof(interrupts)), sizeof(interrupts));
	assert_int_equal(interrupts, 1);
}

static void make_system(char *system)
{
	char *end = stpcpy(system, "vms: [{name: v}, {name: w}]\nconnections:\n");

	for (int i = 0; i < CONNECTIONS; i++)
		end += sprintf(end, "- {name: c%d, members: [{vm: v}, {vm: w}]}\n", i);
}

static void check_counts(const struct tracer *tracer)
{
	static const unsigned int known[] = {CALL_EPOLL,          SYS_recvmmsg,       SYS_write,
					     CALL_POLL,           SYS_rt_sigreturn,   SYS_setitimer,
					     SYS_restart_syscall, SYS_timerfd_settime};
	const unsigned int *counts = tracer->counts;
	unsigned int ticks = counts[SYS_rt_sigreturn];
	unsigned int others = 0;

	for (size_t i = 0; i < MAX_CALLS; i++)
		others += counts[i];
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		others -= counts[known[i]];
	print_message("%u events: epoll_wait %u, recvmmsg %u, write %u; at %u ticks: poll %u, "
		      "setitimer %u\n",
		      EVENTS, counts[CALL_EPOLL], counts[SYS_recvmmsg], counts[SYS_write], ticks,
		      counts[CALL_POLL], counts[SYS_setitimer]);
	assert_int_equal(counts[SYS_recvmmsg], EVENTS);
	assert_int_equal(counts[SYS_write], EVENTS);
	/* Being attached to has interrupted it, as a tick would: one that slept goes on sleeping. */
	assert_in_range(counts[SYS_restart_syscall], 0, 1);
	assert_in_range(counts[CALL_EPOLL], EVENTS, EVENTS + ticks + 1);
	assert_in_range(counts[CALL_POLL], 0, ticks + 1);
	assert_in_range(counts[SYS_setitimer], 0, 2 * (ticks + 1));
	/* For the holder, which hears of a worker that stands still. */
	assert_in_range(counts[SYS_timerfd_settime], 0, 3 * (ticks + 1));
	assert_int_equal(others, 0);
}

static void an_event_costs_three_system_calls(void **state)
{
	struct daemon *daemon = *state;
	struct tracer tracer = {0};
	char system[CONNECTIONS * 64];
	pthread_t thread;
	struct vm v, w;

	make_system(system);
	daemon_start(daemon, system, NULL);
	v = vm_attach(daemon, "v", LAST);
	w = vm_attach(daemon, "w", LAST);
	one_event(&v, &w);
	tracer.worker = daemon_worker(daemon);
	pthread_barrier_init(&tracer.attached, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, trace, &tracer), 0);
	pthread_barrier_wait(&tracer.attached);
	for (unsigned int i = 0; i < EVENTS; i++)
		one_event(&v, &w);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&tracer.attached);
	assert_false(tracer.failed);
	check_counts(&tracer);
	vm_detach(&v);
	vm_detach(&w);
	assert_int_equal(daemon_stop(daemon), 0);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(an_event_costs_three_system_calls),
};

TESTS_MAIN(tests)
