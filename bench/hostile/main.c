/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a VM's register read takes while somebody else does his worst. For each attack, a daemon is
 * started, the attack begins, and a VM reads a register of its own again and again, as tests/daemon/vm.c
 * does for QEMU.
 *
 *	hostile [-r ROUNDS] [-t MILLISECONDS] CROSSVMD [ATTACK...]
 *
 * A line a measurement: the attack's name, how many reads there were, the median, the 99th percentile and
 * the maximum in microseconds, and how much of a processor crossvmd took, in per cent.
 */
#include "attack.h"

#include <err.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define DEFAULT_ROUNDS 5
#define DEFAULT_MS     2000
#define WARM_UP_MS     100
#define PAUSE_US       100 /* between two reads, as a guest has something else to do */
#define MAX_READS      1000000u
#define SYSTEM_BYTES   (96u << 10)
#define PROCESSES      20u /* of crossvmd, of one role */
#define SOON           64  /* events in an epoll_wait() */

static const struct attack *const attacks[] = {
	&attack_nobody,
	&attack_component_emits,
	&attack_emits,
	&attack_toggles,
	&attack_requests,
	&attack_stranger_connects,
	&attack_component_connects,
	&attack_tcp,
	&attack_fuse,
	&attack_eventfds,
	&attack_lists,
	&attack_kills,
};
#define ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

struct bench {
	unsigned int ms; /* of a measurement */
	uint64_t *reads; /* ns each */
};

void *attack_memory(size_t bytes)
{
	void *memory = calloc(1, bytes);

	if (!memory)
		err(1, "no memory");
	return memory;
}

void attack_read_events(const struct component *components, size_t count)
{
	struct epoll_event events[SOON];
	pid_t child = fork();
	uint64_t value;
	int set;

	if (child < 0)
		err(1, "fork");
	if (child > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = components[i].event_fd};

		assert_return_code(epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event), errno);
	}
	for (;;) {
		const int ready = epoll_wait(set, events, SOON, -1);

		for (int i = 0; i < ready; i++)
			assert_int_equal(read(events[i].data.fd, &value, sizeof(value)),
					 sizeof(value));
	}
}

static char *make_system(void)
{
	char *system = attack_memory(SYSTEM_BYTES);
	char *end = stpcpy(system, "vms: [{name: v}, {name: w}, {name: x}]\n"
				   "components:\n- {name: bad, user: 61001}\n");

	for (unsigned int i = 0; i < OTHERS; i++)
		end += sprintf(end, "- {name: a%u}\n", i);
	end = stpcpy(end, "connections:\n"
			  "- {name: link, members: [{vm: w}, {vm: x}]}\n"
			  "- {name: bell, members: [{component: a0}, {component: bad}]}\n");
	for (unsigned int i = 0; i < WIDE; i++) {
		end += sprintf(end, "- name: wide%u\n  members: [{vm: v}", i);
		for (unsigned int j = 0; j < OTHERS; j++)
			end += sprintf(end, ", {component: a%u}", j);
		end = stpcpy(end, "]\n");
	}
	for (unsigned int i = 0; i < NARROW; i++)
		end += sprintf(end, "- {name: narrow%u, members: [{vm: v}, {component: a0}]}\n", i);
	return system;
}

/* Those that are measured may have real-time priority; then the attack has the next lower one. */
static void lower_priority(void)
{
	struct sched_param priority = {0};

	if (sched_getparam(0, &priority) == 0 && priority.sched_priority > 1) {
		priority.sched_priority--;
		sched_setparam(0, &priority);
	}
}

static void become(uid_t user)
{
	if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 ||
	    setresuid(user, user, user) != 0)
		err(1, "cannot become user %u", user);
}

/* @return once it has begun. */
static void begin(const struct attack *attack, const struct daemon *daemon)
{
	int begun[2];
	void *context;
	char byte = 0;
	pid_t child;

	if (attack->fuse)
		hostile_make(daemon, HOSTILE_FUSE);
	if (pipe(begun) != 0 || (child = fork()) < 0)
		err(1, "no process for an attack");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(begun[0]);
		lower_priority();
		become(attack->user);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		context = attack->prepare(daemon);
		if (write(begun[1], &byte, 1) != 1)
			err(1, "pipe");
		close(begun[1]);
		for (;;)
			attack->step(daemon, context);
	}
	hostile_note_child(child);
	close(begun[1]);
	if (read(begun[0], &byte, 1) != 1)
		errx(1, "the attack '%s' does not begin", attack->name);
	close(begun[0]);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* @return how many reads. */
static size_t read_for(struct vm *vm, unsigned int ms, uint64_t *reads)
{
	const uint64_t end = now_ns() + (uint64_t)ms * 1000000u;
	size_t count = 0;

	while (count < MAX_READS) {
		const uint64_t before = now_ns();

		if (before >= end)
			break;
		vm_read_register(vm, CROSSVM_REG_TOTAL_EVENTS);
		reads[count++] = now_ns() - before;
		usleep(PAUSE_US);
	}
	return count;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Clock ticks of processor time that a process and its children that have ended have had. */
static uint64_t process_ticks(pid_t pid)
{
	uint64_t ticks = 0;
	char line[512];
	char path[64];
	char *rest;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* Behind the name: eleven fields, then the four that count, its own and its children's. */
	if (fgets(line, sizeof(line), file) && (rest = strrchr(line, ')'))) {
		for (int skipped = 0; rest && skipped < 12; skipped++)
			rest = strchr(rest + 1, ' ');
		for (size_t i = 0; rest && i < 4; i++)
			ticks += strtoull(rest, &rest, 10);
	}
	fclose(file);
	return ticks;
}

static uint64_t daemon_ticks(const struct daemon *daemon)
{
	static const char *const roles[] = {"crossvmd:worker", "crossvmd:closer"};
	uint64_t ticks = process_ticks(daemon->pid);
	pid_t processes[PROCESSES];

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		for (size_t j = daemon_processes(daemon, roles[i], processes, PROCESSES); j > 0;
		     j--)
			ticks += process_ticks(processes[j - 1]);
	return ticks;
}

static void print(const struct attack *attack, uint64_t *reads, size_t count, double load)
{
	const size_t middle = count / 2;
	const size_t late = count - 1 - count / 100;

	qsort(reads, count, sizeof(*reads), compare);
	printf("%s reads %zu median %.1f p99 %.1f max %.1f load %.0f\n", attack->name, count,
	       (double)reads[middle] / 1e3, (double)reads[late] / 1e3,
	       (double)reads[count - 1] / 1e3, load);
	fflush(stdout);
}

static void measure(const struct bench *bench, const struct attack *attack, const char *system)
{
	struct daemon *daemon;
	uint64_t ticks;
	void *state;
	size_t count;
	struct vm w;

	if (hostile_setup(&state) != 0)
		errx(1, "no folder for crossvmd");
	daemon = state;
	daemon_start(daemon, system, NULL);
	w = vm_attach(daemon, "w", "link");
	begin(attack, daemon);
	read_for(&w, WARM_UP_MS, bench->reads);
	ticks = daemon_ticks(daemon);
	count = read_for(&w, bench->ms, bench->reads);
	ticks = daemon_ticks(daemon) - ticks;
	hostile_end_users();
	print(attack, bench->reads, count,
	      100e3 * (double)ticks / (double)sysconf(_SC_CLK_TCK) / bench->ms);
	vm_detach(&w);
	if (hostile_teardown(&state) != 0)
		errx(1, "crossvmd has not ended well after the attack '%s'", attack->name);
}

static bool is_wanted(const struct attack *attack, char **names)
{
	bool wanted = *names == NULL;

	for (; *names; names++)
		wanted |= strcmp(*names, attack->name) == 0;
	return wanted;
}

int main(int argc, char **argv)
{
	struct bench bench = {.ms = DEFAULT_MS};
	int rounds = DEFAULT_ROUNDS;
	struct rlimit files;
	char *system;
	int option;

	while ((option = getopt(argc, argv, "r:t:")) != -1) {
		if (option == 'r')
			rounds = (int)strtol(optarg, NULL, 10);
		else if (option == 't')
			bench.ms = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind >= argc)
		errx(2, "usage: %s [-r ROUNDS] [-t MILLISECONDS] CROSSVMD [ATTACK...]", argv[0]);
	if (geteuid() != 0)
		errx(1, "attacks are of several users: this needs root");
	daemon_program = realpath(argv[optind], NULL);
	if (!daemon_program)
		err(1, "%s", argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	/* What a test asserts ends a process here. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	bench.reads = attack_memory(MAX_READS * sizeof(*bench.reads));
	system = make_system();
	for (int i = 0; i < rounds; i++)
		for (size_t j = 0; j < ATTACKS; j++)
			if (is_wanted(attacks[j], argv + optind + 1))
				measure(&bench, attacks[j], system);
	free(system);
	free(bench.reads);
	return 0;
}
