/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts the instructions that crossvmd takes for one event: of its worker, from the return of
 * epoll_wait() to the next epoll_wait(). The kernel's are not counted. callgrind cannot follow a process
 * that shares its descriptors with another one, so the worker is made to take one step at a time.
 *
 *	event [-p FILE] CROSSVMD
 *
 * -p: write the address of each instruction of the last event, and the worker's memory map, to a file.
 */
#include <err.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "tests/daemon/vm.h"

#define EVENTS    64u
#define WARM_UP   8u
#define SYSCALL   0x050fu /* the instruction's two bytes */
#define MAX_STEPS 100000u
#define CONNECTIONS                                     \
	"- {name: link, members: [{vm: v}, {vm: w}]}\n" \
	"- {name: bell, members: [{component: a}, {component: b}]}\n"

struct stepper {
	pid_t worker;
	int signal; /* to be delivered with the next step */
	bool disturbed;
	FILE *profile;
	unsigned int count;
	unsigned long addresses[MAX_STEPS];
};

/* Take a step. */
static void step(struct stepper *stepper)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, stepper->worker, NULL, (long)stepper->signal) != 0 ||
	    waitpid(stepper->worker, &status, __WALL) != stepper->worker || !WIFSTOPPED(status))
		errx(1, "the worker has ended");
	stepper->signal = status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0;
	stepper->disturbed |= stepper->signal != 0;
}

/* Whether the next instruction is the system call that waits for events. */
static bool waits_next(const struct stepper *stepper, unsigned long *address)
{
	struct user_regs_struct registers;
	void *where;

	if (ptrace(PTRACE_GETREGS, stepper->worker, NULL, &registers) != 0)
		err(1, "PTRACE_GETREGS");
	*address = registers.rip;
	if (registers.rax != SYS_epoll_wait && registers.rax != SYS_epoll_pwait)
		return false;
	/* As ptrace() wants it. */
	where = (void *)registers.rip; // NOLINT(performance-no-int-to-ptr)
	return ((unsigned long)ptrace(PTRACE_PEEKTEXT, stepper->worker, where, NULL) & 0xffff) ==
	       SYSCALL;
}

/* From a wait to the next one. */
static void turn(struct stepper *stepper)
{
	unsigned long address;

	stepper->count = 0;
	stepper->disturbed = false;
	step(stepper);
	while (!waits_next(stepper, &address)) {
		if (stepper->count == MAX_STEPS)
			errx(1, "an event takes more than %u instructions", MAX_STEPS);
		stepper->addresses[stepper->count++] = address;
		step(stepper);
	}
}

static int compare(const void *left, const void *right)
{
	const unsigned int *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* @return the median of turns that no tick has come into. */
static unsigned int count(struct stepper *stepper, void (*emit)(void *context), void *context)
{
	unsigned int counts[EVENTS];

	for (unsigned int i = 0; i < WARM_UP + EVENTS;) {
		emit(context);
		turn(stepper);
		if (stepper->disturbed)
			continue;
		if (i >= WARM_UP)
			counts[i - WARM_UP] = stepper->count;
		i++;
	}
	qsort(counts, EVENTS, sizeof(*counts), compare);
	return counts[EVENTS / 2];
}

static void vm_emit(void *context)
{
	vm_write_register(context, CROSSVM_REG_EMIT, 1, true);
}

static void component_emits(void *context)
{
	component_emit(context);
}

static void attach(struct stepper *stepper, const struct daemon *daemon)
{
	int status;

	stepper->worker = daemon_worker(daemon);
	if (ptrace(PTRACE_SEIZE, stepper->worker, NULL, NULL) != 0 ||
	    ptrace(PTRACE_INTERRUPT, stepper->worker, NULL, NULL) != 0 ||
	    waitpid(stepper->worker, &status, __WALL) != stepper->worker)
		err(1, "cannot trace the worker");
}

static void write_profile(const struct stepper *stepper, const char *of)
{
	char path[64], line[512];
	FILE *maps;

	if (!stepper->profile)
		return;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)stepper->worker);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, " r-xp "))
			fprintf(stepper->profile, "map %s", line);
	if (maps)
		fclose(maps);
	for (unsigned int i = 0; i < stepper->count; i++)
		fprintf(stepper->profile, "%s %#lx\n", of, stepper->addresses[i]);
}

static void count_all(struct stepper *stepper, struct daemon *daemon)
{
	struct vm v = vm_attach(daemon, "v", "link");
	struct vm w = vm_attach(daemon, "w", "link");
	struct component a = component_open(daemon, "bell", "a", 0);
	struct component b = component_open(daemon, "bell", "b", 0);

	attach(stepper, daemon);
	printf("crossvmd: an event, VM to VM/1/%u\n", count(stepper, vm_emit, &v));
	write_profile(stepper, "vm");
	printf("crossvmd: an event, component to component/1/%u\n",
	       count(stepper, component_emits, &a));
	write_profile(stepper, "component");
	ptrace(PTRACE_DETACH, stepper->worker, NULL, 0L);
	vm_detach(&v);
	vm_detach(&w);
	component_close(&a);
	component_close(&b);
}

int main(int argc, char **argv)
{
	static struct stepper stepper;
	void *state;
	int option;

	while ((option = getopt(argc, argv, "p:")) != -1) {
		if (option != 'p')
			return 2;
		stepper.profile = fopen(optarg, "we");
		if (!stepper.profile)
			err(1, "%s", optarg);
	}
	if (optind + 1 != argc)
		errx(2, "usage: %s [-p FILE] CROSSVMD", argv[0]);
	daemon_program = realpath(argv[optind], NULL);
	if (!daemon_program)
		err(1, "%s", argv[optind]);
	/* What a test asserts ends a process here. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	if (daemon_setup(&state) != 0)
		errx(1, "no folder for crossvmd");
	daemon_start(state,
		     "vms: [{name: v}, {name: w}]\ncomponents: [{name: a}, {name: b}]\n"
		     "connections:\n" CONNECTIONS,
		     NULL);
	count_all(&stepper, state);
	if (stepper.profile)
		fclose(stepper.profile);
	return daemon_teardown(&state) == 0 ? 0 : 1;
}
