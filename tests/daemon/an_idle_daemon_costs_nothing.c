/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With nothing to do crossvmd does nothing: for ten seconds no process of it runs for a moment or is
 * switched to, though many VMs are attached and have just exchanged events; and it has little memory.
 */
#include "vm.h"

#include <sys/resource.h>

#define CONNECTIONS    32
#define IDLE_SECONDS   10
#define MAX_MEMORY_KIB 4096
#define PROCESSES      2 /* holder and worker */
#define DATAPORT_KIB   8

struct usage {
	unsigned long long run_ns;   /* on a processor */
	unsigned long long switches; /* to it */
	unsigned long long memory_kib;
};

/* The number behind a key in a file of lines "Key: number". */
static unsigned long long look_up(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	unsigned long long value = 0;
	bool found = false;
	char line[256];

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0) {
			value = strtoull(line + strlen(key), NULL, 10);
			found = true;
		}
	fclose(file);
	if (!found)
		fail_msg("%s has no line '%s'", path, key);
	return value;
}

static struct usage look(pid_t process)
{
	struct usage usage;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)process);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &usage.run_ns), 1);
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
	usage.switches = look_up(path, "voluntary_ctxt_switches:") +
			 look_up(path, "nonvoluntary_ctxt_switches:");
	/* What the two share is half of each one's, as in the sum it should be. */
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)process);
	usage.memory_kib = look_up(path, "Pss_Anon:") + look_up(path, "Pss_Shmem:");
	return usage;
}

static void make_system(char *system)
{
	char *end = stpcpy(system, "vms: [{name: v}, {name: w}]\nconnections:\n");

	for (int i = 0; i < CONNECTIONS; i++)
		end += sprintf(end,
			       "- {name: c%d, dataport: %d KiB, members: [{vm: v, access: "
			       "read-write}, {vm: w, access: read-write}]}\n",
			       i, DATAPORT_KIB);
}

static void attach_all(struct daemon *daemon, const char *busy_poll_us,
		       struct vm vms[CONNECTIONS][2])
{
	struct rlimit descriptors;
	char system[CONNECTIONS * 128];

	assert_return_code(getrlimit(RLIMIT_NOFILE, &descriptors), errno);
	descriptors.rlim_cur = descriptors.rlim_max;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &descriptors), errno);
	make_system(system);
	daemon_start(daemon, system, "--busy-poll", busy_poll_us, NULL);
	for (int i = 0; i < CONNECTIONS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		vms[i][0] = vm_attach(daemon, "v", name);
		vms[i][1] = vm_attach(daemon, "w", name);
		vm_write_register(&vms[i][0], CROSSVM_REG_EMIT, 1, true);
		vm_wait_total(&vms[i][1], 1);
	}
}

static void costs_nothing(struct daemon *daemon, const char *busy_poll_us)
{
	static struct vm vms[CONNECTIONS][2];
	struct usage before[PROCESSES], after[PROCESSES];
	unsigned long long memory_kib = 0;
	pid_t processes[PROCESSES];

	attach_all(daemon, busy_poll_us, vms);
	processes[0] = daemon->pid;
	processes[1] = daemon_worker(daemon);
	sleep(1); /* the watchdog stops when it finds nothing going on */
	for (int i = 0; i < PROCESSES; i++)
		before[i] = look(processes[i]);
	sleep(IDLE_SECONDS);
	for (int i = 0; i < PROCESSES; i++) {
		after[i] = look(processes[i]);
		memory_kib += after[i].memory_kib;
		print_message("process %d: %llu ns, %llu switches in %d s; %llu KiB\n", i,
			      after[i].run_ns - before[i].run_ns,
			      after[i].switches - before[i].switches, IDLE_SECONDS,
			      after[i].memory_kib);
		assert_int_equal(after[i].run_ns, before[i].run_ns);
		assert_int_equal(after[i].switches, before[i].switches);
	}
	assert_in_range(memory_kib, 0, MAX_MEMORY_KIB + CONNECTIONS * DATAPORT_KIB);
	for (int i = 0; i < CONNECTIONS; i++) {
		vm_detach(&vms[i][0]);
		vm_detach(&vms[i][1]);
	}
	assert_int_equal(daemon_stop(daemon), 0);
}

static void an_idle_daemon_costs_nothing(void **state)
{
	costs_nothing(*state, "0");
}

/* It polls after events only. */
static void neither_does_one_that_polls(void **state)
{
	costs_nothing(*state, "10000");
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(an_idle_daemon_costs_nothing),
	DAEMON_TEST(neither_does_one_that_polls),
};

TESTS_MAIN(tests)
