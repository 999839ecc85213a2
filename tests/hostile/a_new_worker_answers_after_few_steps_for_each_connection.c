/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As with its system calls, so with all else that a new worker does before it answers: counted are its
 * instructions, one by one, until a QEMU has its answer, with one, two and four times as many
 * connections.
 */
#include "steps.h"

#define FEW       6u
#define COUNTS    3u
#define MOST      (FEW << (COUNTS - 1))
#define VMS       2u
#define MAX_BYTES (96u << 10)
#define SLACK     20000u /* in which the last steps are not counted exactly */

static struct vm vms[VMS][MOST];

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

/* @return how many steps came before the answer. */
static uint64_t count(struct daemon *daemon, unsigned int connections)
{
	static char system[MAX_BYTES];
	uint64_t steps;
	char name[16];

	make_system(system, connections);
	daemon_start(daemon, system, NULL);
	for (unsigned int i = 0; i < VMS * connections; i++) {
		snprintf(name, sizeof(name), "c%u", i / VMS);
		vms[i % VMS][i / VMS] = vm_attach(daemon, i % VMS ? "v1" : "v0", name);
	}
	steps = steps_before_answer(daemon, &vms[1][connections - 1]);
	for (unsigned int i = 0; i < VMS * connections; i++)
		vm_detach(&vms[i % VMS][i / VMS]);
	hostile_stop(daemon);
	return steps;
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
