/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * While a worker dies and the next one begins, QEMUs wait. What the next one does before it answers
 * grows with the connections, and no faster: counted are its system calls until it first sends
 * something, with one, two and four times as many.
 */
#include "calls.h"
#include "hostile.h"

#include <signal.h>
#include <sys/socket.h>

#define FEW       22u
#define STEPS     3u
#define MOST      (FEW << (STEPS - 1))
#define VMS       2u
#define MAX_BYTES (96u << 10)

static struct calls calls;
static struct vm vms[VMS][MOST];

/* Of VMs, with dataports, and a component in each. */
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

/* @return how many calls came before the first answer. */
static unsigned int count(struct daemon *daemon, unsigned int connections)
{
	static char system[MAX_BYTES];
	char name[16];
	const struct vfio_user_access access = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						.region = VFIO_PCI_BAR0_REGION_INDEX,
						.count = 4};
	unsigned int before;
	pid_t old;
	char answer[36];

	make_system(system, connections);
	daemon_start(daemon, system, NULL);
	for (unsigned int i = 0; i < VMS * connections; i++) {
		snprintf(name, sizeof(name), "c%u", i / VMS);
		vms[i % VMS][i / VMS] = vm_attach(daemon, i % VMS ? "v1" : "v0", name);
	}
	old = daemon_worker(daemon);
	calls_begin(&calls, daemon->pid, 0, true);
	hostile_pause(daemon, true);
	hostile_command(vms[1][connections - 1].events, VFIO_USER_REGION_READ, 0, &access,
			sizeof(access), NULL, 0);
	kill(old, SIGKILL);
	assert_int_equal(recv(vms[1][connections - 1].events, answer, sizeof(answer), MSG_WAITALL),
			 sizeof(answer));
	calls_end(&calls);
	before = calls_of(&calls, daemon_worker(daemon))->before_answer;
	for (unsigned int i = 0; i < VMS * connections; i++)
		vm_detach(&vms[i % VMS][i / VMS]);
	hostile_stop(daemon);
	return before;
}

static void calls_grow_with_connections_only(void **state)
{
	unsigned int of[STEPS];

	for (unsigned int i = 0; i < STEPS; i++) {
		of[i] = count(*state, FEW << i);
		print_message("%u VMs with %u connections each: %u calls before the answer\n", VMS,
			      FEW << i, of[i]);
		assert_true(of[i] > 0);
	}
	/* A line through the first two goes above the third, or next to it. */
	assert_in_range(of[2] - of[1], 0, 2 * (of[1] - of[0]) + 20);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(calls_grow_with_connections_only),
};

TESTS_MAIN(tests)
