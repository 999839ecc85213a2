/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel counts descriptors that are on their way, for all that the daemon's user sends: beyond as
 * many as it may have open it can send none (ETOOMANYREFS). So no client, and not many together, may
 * have any number of them sent and take none. Root is exempt: the daemon is another user here.
 */
#include "hostile.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define DAEMON                  "61000"
#define COMPONENT               61001u
#define VMS                     20u
#define QUESTIONS               400u
#define SPARE                   500u /* clients that may not have been accepted yet */
#define DESCRIPTORS_OF_GREETING 3u
#define DESCRIPTORS_OF_ANSWER   2u
#define MAX_CLIENTS             12000u

static int clients[MAX_CLIENTS];

static void close_clients(void)
{
	for (unsigned int i = 0; i < MAX_CLIENTS; i++) {
		if (clients[i] > 0)
			close(clients[i]);
		clients[i] = 0;
	}
}

/* Many VMs, for there is one client of each function. */
static void start(struct daemon *daemon, char *system)
{
	struct rlimit limit;
	char *end;

	if (geteuid() != 0)
		fail_msg("%s", "this test makes the daemon another user: it needs root");
	close_clients(); /* of a test that has failed */
	end = stpcpy(system, "components: [{name: a, user: 61001}, {name: b}, {name: c}]\nvms:\n");
	for (unsigned int i = 0; i < VMS; i++)
		end += sprintf(end, "- {name: v%u}\n", i);
	end = stpcpy(end, "connections:\n"
			  "- {name: bell, members: [{component: b}, {component: c}]}\n"
			  "- {name: other, members: [{component: a}, {component: b}]}\n"
			  "- {name: ring, doorbell: true, members: [{vm: v0}, {vm: v1}]}\n"
			  "- {name: link, dataport: 4 KiB, members: [");
	for (unsigned int i = 0; i < VMS; i++)
		end += sprintf(end, "%s{vm: v%u, access: read-write}", i > 0 ? ", " : "", i);
	strcpy(end, "]}\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* The daemon asks for as many as it needs, and has no more. */
	limit.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	daemon_start(daemon, system, "--user", DAEMON, NULL);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* How many descriptors the daemon may have open. */
static unsigned int limit_of(const struct daemon *daemon)
{
	static const char name[] = "Max open files";
	char path[64], line[256];
	unsigned int limit = 0;
	FILE *limits;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)daemon->pid);
	limits = fopen(path, "re");
	assert_non_null(limits);
	while (fgets(line, sizeof(line), limits) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			limit = (unsigned int)strtoul(line + strlen(name), NULL, 10);
	fclose(limits);
	return limit;
}

/* How many clients, each with so many descriptors on their way to it, would take all that there are. */
static unsigned int count_clients(const struct daemon *daemon, unsigned int descriptors)
{
	unsigned int count = limit_of(daemon) / descriptors + SPARE;

	print_message("%u clients, for at most %u descriptors\n", count, limit_of(daemon));
	assert_in_range(count, SPARE, MAX_CLIENTS);
	return count;
}

/* A component opens, and a QEMU gets its regions; sockets may take a moment to be free. */
static void others_get_descriptors(const struct daemon *daemon)
{
	struct component a = component_open(daemon, "bell", "c", 0);
	struct component b = component_open(daemon, "bell", "b", 0);
	struct vm last;
	uint64_t total;
	char name[16];

	total = b.page->total_events + 1;
	component_emit(&a);
	component_wait_total(&b, total);
	component_close(&a);
	component_close(&b);
	snprintf(name, sizeof(name), "v%u", VMS - 1);
	last = vm_attach(daemon, name, "link");
	hostile_expect_answers(&last);
	vm_detach(&last);
}

static void greetings_of_a_doorbell(void **state)
{
	struct daemon *daemon = *state;
	unsigned int count;
	char system[4096];

	start(daemon, system);
	count = count_clients(daemon, DESCRIPTORS_OF_GREETING);
	for (unsigned int i = 0; i < count; i++) {
		clients[i] = hostile_connect(
			daemon, i % 2 ? "v1.ring.doorbell" : "v0.ring.doorbell", SOCK_STREAM);
	}
	others_get_descriptors(daemon);
	close_clients();
	others_get_descriptors(daemon);
	hostile_stop(daemon);
}

static void descriptors_of_regions(void **state)
{
	const struct vfio_region_info question = {.argsz = 4096,
						  .index = VFIO_PCI_BAR2_REGION_INDEX};
	const struct vfio_region_info other = {.argsz = 4096, .index = VFIO_PCI_BAR0_REGION_INDEX};
	struct daemon *daemon = *state;
	char system[4096], name[32];
	int fds[VMS - 1];

	start(daemon, system);
	for (unsigned int i = 0; i < VMS - 1; i++) {
		snprintf(name, sizeof(name), "v%u.link.memory", i);
		fds[i] = hostile_qemu(daemon, name);
		assert_true(fds[i] >= 0);
	}
	for (unsigned int round = 0; round < QUESTIONS; round++)
		for (unsigned int i = 0; i < VMS - 1; i++) {
			hostile_command(fds[i], VFIO_USER_DEVICE_GET_REGION_INFO, 0, &question,
					sizeof(question), NULL, 0);
			hostile_command(fds[i], VFIO_USER_DEVICE_GET_REGION_INFO, 0, &other,
					sizeof(other), NULL, 0);
		}
	others_get_descriptors(daemon);
	for (unsigned int i = 0; i < VMS - 1; i++)
		close(fds[i]);
	hostile_stop(daemon);
}

/* They open, break the protocol, and keep the socket, in which the answer is with its descriptors. */
static void open_and_keep(const struct daemon *daemon)
{
	static const char nonsense[4] = "boom";
	const struct crossvm_component_request request = {.header = {CROSSVM_COMPONENT_MAGIC,
								     CROSSVM_COMPONENT_VERSION,
								     CROSSVM_COMPONENT_OPEN},
							  .connection = "other"};

	for (unsigned int i = count_clients(daemon, DESCRIPTORS_OF_ANSWER); i > 0; i--) {
		int fd = hostile_connect(daemon, CROSSVM_COMPONENT_SOCKET_NAME, SOCK_SEQPACKET);

		hostile_send(fd, &request, sizeof(request), NULL, 0);
		hostile_send(fd, nonsense, sizeof(nonsense), NULL, 0);
	}
}

static void answers_of_components(void **state)
{
	struct daemon *daemon = *state;
	char system[4096];

	start(daemon, system);
	hostile_as_user(COMPONENT, open_and_keep, daemon);
	others_get_descriptors(daemon);
	hostile_end_users();
	others_get_descriptors(daemon);
	hostile_stop(daemon);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(greetings_of_a_doorbell),
	HOSTILE_TEST(descriptors_of_regions),
	HOSTILE_TEST(answers_of_components),
};

TESTS_MAIN(tests)
