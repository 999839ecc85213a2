/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As with its system calls, so with all else that a new worker does before it answers: counted are its
 * instructions, one by one, until a QEMU has its answer, with one, two and four times as many
 * connections.
 */
#include "hostile.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define FEW       6u
#define COUNTS    3u
#define MOST      (FEW << (COUNTS - 1))
#define VMS       2u
#define MAX_BYTES (96u << 10)
#define SLACK     20000u /* in which the last steps are not counted exactly */

static struct vm vms[VMS][MOST];

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

static void make_system(char *system, unsigned int connections)
{
	char *end = stpcpy(system, "vms: [{name: v0}, {name: v1}]\ncomponents: [{name: a}]\n"
				   "connections:\n");

	for (unsigned int i = 0; i < connections; i++)
		end += sprintf(end,
			       "- name: c%u\n  dataport: 4 KiB\n  members:\n"
			       "  - {vm: v0, access: read-write}\n"
			       "  - {vm: v1, access: read-write}\n"
			       "  - {component: a, access: read-only}\n",
			       i);
}

static void ask_the_next(struct stepper *stepper, const struct vm *vm, pid_t worker)
{
	const struct vfio_user_access access = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						.region = VFIO_PCI_BAR0_REGION_INDEX,
						.count = 4};
	pthread_t thread;
	char answer[36];

	assert_return_code(kill(worker, SIGSTOP), errno);
	hostile_command(vm->events, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	pthread_barrier_init(&stepper->begun, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, step, stepper), 0);
	pthread_barrier_wait(&stepper->begun);
	assert_return_code(kill(worker, SIGKILL), errno);
	assert_int_equal(recv(vm->events, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
	atomic_store(&stepper->answered, true);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&stepper->begun);
	assert_false(stepper->failed);
}

/* @return how many steps came before the answer. */
static uint64_t count(struct daemon *daemon, unsigned int connections)
{
	static char system[MAX_BYTES];
	struct stepper stepper = {0};
	char name[16];

	make_system(system, connections);
	daemon_start(daemon, system, NULL);
	for (unsigned int i = 0; i < VMS * connections; i++) {
		snprintf(name, sizeof(name), "c%u", i / VMS);
		vms[i % VMS][i / VMS] = vm_attach(daemon, i % VMS ? "v1" : "v0", name);
	}
	stepper.holder = daemon->pid;
	ask_the_next(&stepper, &vms[1][connections - 1], daemon_worker(daemon));
	for (unsigned int i = 0; i < VMS * connections; i++)
		vm_detach(&vms[i % VMS][i / VMS]);
	hostile_stop(daemon);
	return stepper.steps;
}

static void steps_grow_with_connections_only(void **state)
{
	uint64_t of[COUNTS];

	for (unsigned int i = 0; i < COUNTS; i++) {
		of[i] = count(*state, FEW << i);
		print_message("%u VMs with %u connections each: %ju steps before the answer\n", VMS,
			      FEW << i, (uintmax_t)of[i]);
		assert_true(of[i] > 0);
	}
	/* As much again for as many again, and a tenth. */
	assert_in_range(of[2] - of[1], 0, 2 * (of[1] - of[0]) * 11 / 10 + SLACK);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(steps_grow_with_connections_only),
};

TESTS_MAIN(tests)
