/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's stores cost the guest next to nothing, and each concerns all members of a connection. Totals
 * and states are absolute: however many stores a worker finds, it wakes a member once for all of them.
 * Counted are write() calls between two of the worker's waits.
 */
#include "calls.h"
#include "hostile.h"

#define CONNECTIONS 4u
#define COMPONENTS  63u /* of each connection, beside the VM */
#define MEMBERS     (CONNECTIONS * COMPONENTS)
#define STORES      60u
#define SLACK       20u /* lines of the log, the VM's own interrupts */

static struct component members[MEMBERS];
static struct calls calls;

static void start(struct daemon *daemon)
{
	static char system[64 << 10];
	char *end = stpcpy(system, "vms: [{name: v}, {name: w}]\ncomponents:\n");

	for (unsigned int i = 0; i < COMPONENTS; i++)
		end += sprintf(end, "- {name: a%u}\n", i);
	end = stpcpy(end, "connections:\n- {name: link, members: [{vm: v}, {vm: w}]}\n");
	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		end += sprintf(end, "- name: c%u\n  members: [{vm: v}", i);
		for (unsigned int j = 0; j < COMPONENTS; j++)
			end += sprintf(end, ", {component: a%u}", j);
		end = stpcpy(end, "]\n");
	}
	daemon_start(daemon, system, NULL);
}

static void open_members(const struct daemon *daemon)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		char connection[16], name[16];

		snprintf(connection, sizeof(connection), "c%u", i / COMPONENTS);
		snprintf(name, sizeof(name), "a%u", i % COMPONENTS);
		members[i] = component_open(daemon, connection, name, 0);
	}
}

/* The guest stores to a register of all its connections in turn, with the worker asleep meanwhile. */
static void burst(const struct daemon *daemon, struct vm *vms, uint32_t offset,
		  const uint32_t *values)
{
	hostile_pause(daemon, true);
	for (unsigned int i = 0; i < STORES; i++)
		for (unsigned int j = 0; j < CONNECTIONS; j++)
			vm_write_register(&vms[j], offset, values[i % 2], true);
	hostile_pause(daemon, false);
}

static void check(const struct daemon *daemon, const char *of)
{
	const struct calls_of *worker = calls_of(&calls, daemon_worker(daemon));

	print_message("%u %s in all: %u writes, at most %u at once, to %u members\n",
		      STORES * CONNECTIONS, of, worker->counts[SYS_write], worker->most_writes,
		      MEMBERS);
	assert_in_range(worker->most_writes, 1, MEMBERS + SLACK);
}

static void attach_all(const struct daemon *daemon, struct vm *vms)
{
	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%u", i);
		vms[i] = vm_attach(daemon, "v", name);
	}
}

static void end(struct daemon *daemon, struct vm *vms, struct vm *w)
{
	for (unsigned int i = 0; i < MEMBERS; i++)
		component_close(&members[i]);
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		vm_detach(&vms[i]);
	hostile_expect_answers(w);
	vm_detach(w);
	hostile_stop(daemon);
}

static void of_emits(void **state)
{
	static const uint32_t any[2] = {1, 1};
	struct daemon *daemon = *state;
	struct vm vms[CONNECTIONS], w;

	start(daemon);
	open_members(daemon);
	attach_all(daemon, vms);
	w = vm_attach(daemon, "w", "link");
	hostile_expect_answers(&w);
	calls_begin(&calls, daemon_worker(daemon), 0, false);
	burst(daemon, vms, CROSSVM_REG_EMIT, any);
	for (unsigned int i = 0; i < MEMBERS; i++)
		component_wait_total(&members[i], STORES);
	calls_end(&calls);
	check(daemon, "emits");
	end(daemon, vms, &w);
}

/* The last of all leaves it open. */
static void of_opening_and_closing(void **state)
{
	static const uint32_t toggles[2] = {0, CROSSVM_CONTROL_OPEN};
	struct daemon *daemon = *state;
	struct vm vms[CONNECTIONS], w;

	start(daemon);
	open_members(daemon);
	attach_all(daemon, vms);
	w = vm_attach(daemon, "w", "link");
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		vm_write_register(&vms[i], CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN, false);
	hostile_expect_answers(&w);
	calls_begin(&calls, daemon_worker(daemon), 0, false);
	burst(daemon, vms, CROSSVM_REG_CONTROL, toggles);
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(vm_read_register(&vms[i], CROSSVM_REG_CONTROL),
				 CROSSVM_CONTROL_OPEN);
	hostile_expect_answers(&w);
	calls_end(&calls);
	check(daemon, "changes");
	end(daemon, vms, &w);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(of_emits),
	HOSTILE_TEST(of_opening_and_closing),
};

TESTS_MAIN(tests)
