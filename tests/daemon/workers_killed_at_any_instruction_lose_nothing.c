/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker is stepped through one emit, or one open, and killed after N instructions, for N from 0
 * until it sleeps again. argv[2]: by how much N grows; with 1 it is every instruction. An open takes
 * many more of them, so N grows faster there.
 */
#include "vm.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static unsigned long stride;

#define MIXED                                  \
	"vms: [{name: v}]\n"                   \
	"components: [{name: a}, {name: b}]\n" \
	"connections:\n"                       \
	"- name: mixed\n"                      \
	"  members: [{vm: v}, {component: a}, {component: b}]\n"

struct rig {
	struct daemon *daemon;
	struct vm v;
	struct component a, b;
	uint64_t from_v, from_a, from_b;
	uint32_t b_incarnation;
};

static struct rig rig_start(struct daemon *daemon)
{
	daemon_start(daemon, MIXED, NULL);
	return (struct rig){.daemon = daemon,
			    .v = vm_attach(daemon, "v", "mixed"),
			    .a = component_open(daemon, "mixed", "a", 0),
			    .b = component_open(daemon, "mixed", "b", 0),
			    .b_incarnation = 1};
}

static void rig_end(struct rig *rig)
{
	vm_detach(&rig->v);
	component_close(&rig->a);
	component_close(&rig->b);
	assert_int_equal(daemon_stop(rig->daemon), 0);
}

static void rig_check(struct rig *rig)
{
	vm_wait_total(&rig->v, rig->from_a + rig->from_b);
	component_wait_total(&rig->a, rig->from_v + rig->from_b);
	component_wait_total(&rig->b, rig->from_v + rig->from_a);
	component_wait_peer(&rig->a, 0, CROSSVM_PEER_PRESENT, 0);
	component_wait_peer(&rig->a, 2, CROSSVM_PEER_OPEN, rig->b_incarnation);
}

static char process_state(pid_t pid)
{
	char path[64];
	char state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file != NULL && fscanf(file, "%*d %*s %c", &state) != 1)
		state = '?';
	if (file != NULL)
		fclose(file);
	return state;
}

/* One instruction. @return whether the worker is there and does not sleep. */
static bool step(pid_t worker, int *signal)
{
	int status;
	int spins = 0;

	assert_int_equal(ptrace(PTRACE_SINGLESTEP, worker, NULL, (long)*signal), 0);
	*signal = 0;
	for (;;) {
		pid_t changed = waitpid(worker, &status, __WALL | WNOHANG);

		assert_true(changed >= 0);
		if (changed == worker)
			break;
		/* asleep, and not only on its way through a system call */
		if (++spins > 200) {
			if (process_state(worker) == 'S')
				return false;
			usleep(10);
		}
	}
	assert_true(WIFSTOPPED(status));
	if (WSTOPSIG(status) != SIGTRAP)
		*signal = WSTOPSIG(status);
	return true;
}

/* Have it done, kill the worker after so many instructions. @return whether it was not done yet. */
static bool kill_after(struct rig *rig, unsigned long instructions, void (*act)(struct rig *rig))
{
	pid_t worker = daemon_worker(rig->daemon);
	bool busy = true;
	int signal = 0;
	int status;

	while (process_state(worker) != 'S')
		usleep(100);
	assert_int_equal(ptrace(PTRACE_SEIZE, worker, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, worker, NULL, NULL), 0);
	assert_int_equal(waitpid(worker, &status, __WALL), worker);
	act(rig);
	for (unsigned long i = 0; busy && i < instructions; i++)
		busy = step(worker, &signal);
	kill(worker, SIGKILL);
	/* the tracer is told first, then the holder */
	while (waitpid(worker, &status, __WALL) == worker && !WIFSIGNALED(status) &&
	       !WIFEXITED(status))
		;
	while (daemon_worker(rig->daemon) == worker)
		usleep(100);
	return busy;
}

static void component_emits(struct rig *rig)
{
	component_emit(&rig->a);
	rig->from_a++;
}

static void vm_emits(struct rig *rig)
{
	vm_write_register(&rig->v, CROSSVM_REG_EMIT, 1, true);
	rig->from_v++;
}

static void component_reopens(struct rig *rig)
{
	component_close(&rig->b);
	rig->b.socket = component_connect(rig->daemon);
	component_request(rig->b.socket, CROSSVM_COMPONENT_OPEN, "mixed", "b", 0);
}

static void component_has_reopened(struct rig *rig)
{
	rig->b = component_opened(rig->b.socket, 0);
	rig->b_incarnation++;
	component_emit(&rig->b);
	rig->from_b++;
}

static void for_instructions(struct daemon *daemon, unsigned long apart,
			     void (*act)(struct rig *rig), void (*after)(struct rig *rig))
{
	struct rig rig = rig_start(daemon);
	unsigned long kills = 0;

	for (bool busy = true; busy; kills++) {
		busy = kill_after(&rig, kills * apart, act);
		if (after != NULL)
			after(&rig);
		rig_check(&rig);
	}
	print_message("%lu workers killed, %lu instructions\n", kills, kills * apart);
	assert_true(kills > 2);
	rig_end(&rig);
}

static void while_a_component_emits(void **state)
{
	for_instructions(*state, stride, component_emits, NULL);
}

static void while_a_vm_emits(void **state)
{
	for_instructions(*state, stride, vm_emits, NULL);
}

static void while_one_process_leaves_and_another_opens(void **state)
{
	for_instructions(*state, 8 * stride, component_reopens, component_has_reopened);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		DAEMON_TEST(while_a_component_emits),
		DAEMON_TEST(while_a_vm_emits),
		DAEMON_TEST(while_one_process_leaves_and_another_opens),
	};

	if (argc != 3)
		return 2;
	stride = strtoul(argv[2], NULL, 10);
	return tests_main(2, argv, tests, 3);
}
