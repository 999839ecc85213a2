/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much processor time a new worker takes before it answers, of a large system: 16 VMs with 92
 * connections each, all attached. Every VM has a request on its way, as a guest may, when the worker is
 * killed.
 *
 *	new_worker [-r ROUNDS] CROSSVMD
 *	new_worker -i CROSSVMD
 *
 * A line a round: processor time until the first answer has come, of the new worker and of the holder that
 * clones it, and the time that passed, in milliseconds. With -i, the number of instructions that the new
 * worker takes, without those of the kernel; that needs no priority, which makes each step longer.
 */
#include "tests/hostile/steps.h"

#include <err.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define DEFAULT_ROUNDS 5
#define VMS            16u
#define CONNECTIONS    92u
#define SYSTEM_BYTES   (256u << 10)

static struct vm vms[VMS][CONNECTIONS];

/* Two VMs each have their connections in common. */
static char *make_system(void)
{
	char *system = calloc(1, SYSTEM_BYTES);
	char *end = system;

	if (!system)
		err(1, "no memory");
	end = stpcpy(end, "vms:\n");
	for (unsigned int i = 0; i < VMS; i++)
		end += sprintf(end, "- {name: v%u}\n", i);
	end = stpcpy(end, "connections:\n");
	for (unsigned int i = 0; i < VMS / 2 * CONNECTIONS; i++)
		end += sprintf(end,
			       "- name: c%u\n  dataport: 4 KiB\n  members:\n"
			       "  - {vm: v%u, access: read-write}\n"
			       "  - {vm: v%u, access: read-write}\n",
			       i, 2 * (i / CONNECTIONS), 2 * (i / CONNECTIONS) + 1);
	return system;
}

static void attach_all(const struct daemon *daemon)
{
	for (unsigned int i = 0; i < VMS; i++)
		for (unsigned int j = 0; j < CONNECTIONS; j++) {
			char name[16], connection[16];

			snprintf(name, sizeof(name), "v%u", i);
			snprintf(connection, sizeof(connection), "c%u", i / 2 * CONNECTIONS + j);
			vms[i][j] = vm_attach(daemon, name, connection);
		}
}

static double now_ms(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		err(1, "clock_gettime");
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double processor_ms(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0)
		errx(1, "process %d has no clock", (int)pid);
	return now_ms(clock);
}

static void measure(struct daemon *daemon)
{
	const struct vfio_user_access access = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						.region = VFIO_PCI_BAR0_REGION_INDEX,
						.count = 4};
	const pid_t worker = daemon_worker(daemon);
	char answer[36];
	double holder, begun;

	assert_return_code(kill(worker, SIGSTOP), errno);
	for (unsigned int i = 0; i < VMS; i++)
		hostile_command(vms[i][CONNECTIONS - 1].events, VFIO_USER_REGION_READ, 0, &access,
				sizeof(access), NULL, 0);
	holder = processor_ms(daemon->pid);
	begun = now_ms(CLOCK_MONOTONIC);
	assert_return_code(kill(worker, SIGKILL), errno);
	assert_int_equal(
		recv(vms[VMS - 1][CONNECTIONS - 1].events, answer, sizeof(answer), MSG_WAITALL),
		sizeof(answer));
	printf("worker %.1f holder %.1f passed %.1f\n", processor_ms(daemon_worker(daemon)),
	       processor_ms(daemon->pid) - holder, now_ms(CLOCK_MONOTONIC) - begun);
	fflush(stdout);
	for (unsigned int i = 0; i < VMS - 1; i++)
		assert_int_equal(
			recv(vms[i][CONNECTIONS - 1].events, answer, sizeof(answer), MSG_WAITALL),
			sizeof(answer));
}

int main(int argc, char **argv)
{
	int rounds = DEFAULT_ROUNDS;
	struct rlimit files;
	void *state;
	char *system;
	bool steps = false;
	int option;

	while ((option = getopt(argc, argv, "ir:")) != -1) {
		if (option == 'r')
			rounds = (int)strtol(optarg, NULL, 10);
		else if (option == 'i')
			steps = true;
		else
			return 2;
	}
	if (optind + 1 != argc)
		errx(2, "usage: %s [-r ROUNDS | -i] CROSSVMD", argv[0]);
	daemon_program = realpath(argv[optind], NULL);
	if (!daemon_program)
		err(1, "%s", argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	/* What a test asserts ends a process here. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (hostile_setup(&state) != 0)
		errx(1, "no folder for crossvmd");
	system = make_system();
	daemon_start(state, system, NULL);
	attach_all(state);
	for (int i = 0; !steps && i < rounds; i++)
		measure(state);
	if (steps)
		printf("instructions %ju\n",
		       (uintmax_t)steps_before_answer(state, &vms[VMS - 1][CONNECTIONS - 1]));
	for (unsigned int i = 0; i < VMS * CONNECTIONS; i++)
		vm_detach(&vms[i / CONNECTIONS][i % CONNECTIONS]);
	free(system);
	return hostile_teardown(&state) == 0 ? 0 : 1;
}
