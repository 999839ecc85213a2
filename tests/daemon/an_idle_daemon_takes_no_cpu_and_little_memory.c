/* SPDX-License-Identifier: BSD-2-Clause */
/* Measured on the optimised build, as it is shipped: sanitizers take memory of their own. */
#include "vm.h"

#define MOST_PRIVATE_KIB 4096u

/* The number behind a key in a file of /proc. */
static unsigned long number_of(pid_t pid, const char *file_name, const char *key)
{
	char path[64];
	char line[256];
	unsigned long number = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file_name);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		number = strtoul(line + strlen(key), NULL, 10);
		found = true;
	}
	fclose(file);
	assert_true(found);
	return number;
}

/* How often a process has run: each time it does, it goes to sleep again. */
static unsigned long runs_of(pid_t pid)
{
	return number_of(pid, "status", "voluntary_ctxt_switches:") +
	       number_of(pid, "status", "nonvoluntary_ctxt_switches:");
}

static unsigned long private_kib_of(pid_t pid)
{
	return number_of(pid, "smaps_rollup", "Private_Clean:") +
	       number_of(pid, "smaps_rollup", "Private_Dirty:");
}

/* Thirty-two connections on each of two VMs, one of them attached, and a component. */
static char *make_system(void)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	fputs("vms: [{name: v}, {name: w}]\ncomponents: [{name: a}]\nconnections:\n", out);
	for (int i = 0; i < 32; i++)
		fprintf(out,
			"- {name: c%d, dataport: 12 KiB, members: [{vm: v, access: read-write}, "
			"{vm: w, access: read-only}, {component: a, access: read-write}]}\n",
			i);
	fclose(out);
	return text;
}

static void idle(void **state)
{
	struct daemon *daemon = *state;
	char *system = make_system();
	pid_t worker;
	struct component a;
	unsigned long runs;
	struct vm v;

	daemon_start(daemon, system, NULL);
	free(system);
	v = vm_attach(daemon, "v", "c7");
	a = component_open(daemon, "c7", "", ACCESS_RW);
	for (int i = 0; i < 1000; i++)
		component_emit(&a);
	vm_wait_total(&v, 1000);
	worker = daemon_worker(daemon);
	/* Come to rest: the watchdog may come once more. */
	do {
		runs = runs_of(worker) + runs_of(daemon->pid);
		sleep(1);
	} while (runs_of(worker) + runs_of(daemon->pid) != runs);
	sleep(2);
	assert_int_equal(runs_of(worker) + runs_of(daemon->pid), runs);
	print_message("private memory: holder %lu KiB, worker %lu KiB\n",
		      private_kib_of(daemon->pid), private_kib_of(worker));
	assert_true(private_kib_of(daemon->pid) + private_kib_of(worker) < MOST_PRIVATE_KIB);
	/* What the two share, each page counted once, is as little. */
	assert_true(number_of(daemon->pid, "smaps_rollup", "Pss:") +
			    number_of(worker, "smaps_rollup", "Pss:") <
		    2 * MOST_PRIVATE_KIB);
	component_close(&a);
	vm_detach(&v);
	assert_int_equal(daemon_stop(daemon), 0);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(idle),
};

TESTS_MAIN(tests)
