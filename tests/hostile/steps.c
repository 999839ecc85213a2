/* SPDX-License-Identifier: BSD-2-Clause */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct stepper {
	pid_t holder;
	pthread_barrier_t begun;
	_Atomic bool answered;
	uint64_t steps;
	bool failed;
};

/* The holder runs; its next worker takes a step at a time, until there is an answer. */
static void *step(void *context)
{
	struct stepper *stepper = context;
	pid_t worker = 0;
	int status;

	stepper->failed = ptrace(PTRACE_SEIZE, stepper->holder, NULL,
				 (long)(PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK)) != 0;
	pthread_barrier_wait(&stepper->begun);
	while (!stepper->failed && !atomic_load(&stepper->answered)) {
		const pid_t pid = waitpid(-1, &status, __WALL | __WNOTHREAD);
		const bool stopped = pid > 0 && WIFSTOPPED(status);
		long signal = stopped && status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP
				      ? WSTOPSIG(status)
				      : 0;

		if (pid != stepper->holder && worker == 0)
			worker = pid;
		stepper->steps += pid == worker;
		if (pid < 0)
			stepper->failed = true;
		else if (stopped)
			ptrace(pid == worker ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, signal);
	}
	if (worker > 0 && ptrace(PTRACE_INTERRUPT, worker, NULL, NULL) == 0 &&
	    waitpid(worker, &status, __WALL) == worker)
		ptrace(PTRACE_DETACH, worker, NULL, 0L);
	if (ptrace(PTRACE_INTERRUPT, stepper->holder, NULL, NULL) == 0 &&
	    waitpid(stepper->holder, &status, __WALL) == stepper->holder)
		ptrace(PTRACE_DETACH, stepper->holder, NULL, 0L);
	return NULL;
}

uint64_t steps_before_answer(const struct daemon *daemon, const struct vm *vm)
{
	const struct vfio_user_access access = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						.region = VFIO_PCI_BAR0_REGION_INDEX,
						.count = 4};
	const pid_t worker = daemon_worker(daemon);
	struct stepper stepper = {.holder = daemon->pid};
	pthread_t thread;
	char answer[36];

	assert_return_code(kill(worker, SIGSTOP), errno);
	hostile_command(vm->events, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	pthread_barrier_init(&stepper.begun, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, step, &stepper), 0);
	pthread_barrier_wait(&stepper.begun);
	assert_return_code(kill(worker, SIGKILL), errno);
	assert_int_equal(recv(vm->events, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	atomic_store(&stepper.answered, true);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&stepper.begun);
	assert_false(stepper.failed);
	return stepper.steps;
}
