/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of every ill will come and go, in as many rounds as the second argument says, with descriptors
 * of every kind in every message that takes some and in those that take none. In the end the daemon has
 * exactly the descriptors that it had.
 */
#include "hostile.h"

#include <signal.h>
#include <sys/socket.h>

#include "descriptors.h"

#define LOOK_AFTER 50u /* rounds */
#define KILL_AFTER 97u
#define MOST_FDS   20u

static unsigned int rounds = 500;
static unsigned int seed = 1;

static unsigned int dice(unsigned int sides)
{
	return (unsigned int)rand_r(&seed) % sides;
}

/* Some of any kind but FUSE, whose server never answers: how long its closing takes is not the question. */
struct handful {
	enum hostile_kind kinds[MOST_FDS];
	int fds[MOST_FDS];
	size_t count;
};

static struct handful take_handful(const struct daemon *daemon)
{
	struct handful handful = {.count = dice(4) ? dice(3) : dice(MOST_FDS)};

	for (size_t i = 0; i < handful.count; i++) {
		do
			handful.kinds[i] = (enum hostile_kind)dice(HOSTILE_KINDS);
		while (handful.kinds[i] == HOSTILE_FUSE || handful.kinds[i] == HOSTILE_OURS);
		handful.fds[i] = hostile_make(daemon, handful.kinds[i]);
	}
	return handful;
}

static void drop_handful(const struct handful *handful)
{
	for (size_t i = 0; i < handful->count; i++)
		hostile_drop(handful->kinds[i], handful->fds[i]);
}

static void send_to_component(const struct daemon *daemon, int fd)
{
	static const uint16_t types[] = {CROSSVM_COMPONENT_OPEN, CROSSVM_COMPONENT_LIST,
					 CROSSVM_COMPONENT_EMIT, 77};
	struct crossvm_component_request request = {
		.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, types[dice(4)]},
		.connection = "bell"};
	struct handful handful = take_handful(daemon);
	size_t bytes = dice(8) ? sizeof(request) : dice(sizeof(request) + 1);

	strcpy(request.component, dice(2) ? "a" : "b");
	if (request.header.type == CROSSVM_COMPONENT_EMIT && dice(8))
		bytes = sizeof(struct crossvm_component_emit);
	hostile_send(fd, &request, bytes, handful.fds, handful.count);
	drop_handful(&handful);
}

static void a_component(const struct daemon *daemon)
{
	int fd = component_connect(daemon);

	for (unsigned int i = 1 + dice(6); i > 0; i--)
		send_to_component(daemon, fd);
	close(fd);
}

static void send_to_function(const struct daemon *daemon, int fd)
{
	static const uint16_t commands[] = {VFIO_USER_DMA_MAP, VFIO_USER_DEVICE_SET_IRQS,
					    VFIO_USER_DEVICE_GET_REGION_INFO, VFIO_USER_REGION_READ,
					    VFIO_USER_DEVICE_RESET};
	union {
		struct vfio_user_dma_map map;
		struct vfio_irq_set irqs;
		struct vfio_region_info region;
		struct vfio_user_access access;
	} payload = {.map = {.argsz = 4096}};
	uint16_t command = commands[dice(5)];
	size_t bytes = sizeof(payload.map);
	struct handful handful = take_handful(daemon);

	if (command == VFIO_USER_DEVICE_SET_IRQS) {
		bytes = sizeof(payload.irqs);
		payload.irqs = (struct vfio_irq_set){
			.argsz = (uint32_t)bytes,
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | (dice(2) ? VFIO_IRQ_SET_ACTION_TRIGGER
								      : VFIO_IRQ_SET_ACTION_UNMASK),
			.index = dice(2),
			.count = 1};
	} else if (command == VFIO_USER_REGION_READ) {
		bytes = sizeof(payload.access);
		payload.access =
			(struct vfio_user_access){.region = VFIO_PCI_BAR0_REGION_INDEX, .count = 4};
	} else if (command == VFIO_USER_DEVICE_RESET) {
		bytes = 0;
	}
	hostile_command(fd, command, dice(2) ? VFIO_USER_FLAGS_NO_REPLY : 0, &payload, bytes,
			handful.fds, handful.count);
	if (dice(16) == 0)
		hostile_send(fd, "half", dice(5), handful.fds, handful.count);
	drop_handful(&handful);
}

static void a_qemu(const struct daemon *daemon)
{
	int fd = vm_connect(daemon, dice(2) ? "v.link.events" : "v.link.memory");

	/* The one before may not be gone yet. */
	if (dice(8) == 0 || hostile_agree(fd))
		for (unsigned int i = 1 + dice(6); i > 0; i--)
			send_to_function(daemon, fd);
	close(fd);
}

static void a_ring(const struct daemon *daemon)
{
	int fd = vm_connect(daemon, "v.ring.doorbell");
	struct handful handful = take_handful(daemon);

	if (dice(2))
		hostile_send(fd, "boom", 4, handful.fds, handful.count);
	drop_handful(&handful);
	close(fd);
}

static void one_round(const struct daemon *daemon)
{
	switch (dice(5)) {
	case 0:
	case 1:
		a_component(daemon);
		break;
	case 2:
	case 3:
		a_qemu(daemon);
		break;
	default:
		a_ring(daemon);
	}
}

static void look(const struct daemon *daemon, struct vm *w, size_t before)
{
	hostile_expect_answers(w);
	/* What lingers may be closing for as long as it lingers; now that ends. */
	descriptors_forget();
	hostile_wait_fds(daemon, before);
}

static void after_many_rounds(void **state)
{
	static const char system[] = "vms: [{name: v}, {name: w}]\n"
				     "components: [{name: a}, {name: b}]\n"
				     "connections:\n"
				     "- {name: link, members: [{vm: v}, {vm: w}]}\n"
				     "- {name: ring, doorbell: true, members: [{vm: v}, {vm: w}]}\n"
				     "- {name: bell, members: [{component: a}, {component: b}]}\n";
	struct daemon *daemon = *state;
	size_t before;
	struct vm w;

	daemon_start(daemon, system, NULL);
	w = vm_attach(daemon, "w", "link");
	a_ring(daemon); /* what is made once, has been made */
	hostile_expect_answers(&w);
	before = hostile_count_fds(daemon);
	for (unsigned int i = 1; i <= rounds; i++) {
		one_round(daemon);
		if (i % KILL_AFTER == 0)
			kill(daemon_worker(daemon), SIGKILL);
		if (i % LOOK_AFTER == 0)
			look(daemon, &w, before);
	}
	look(daemon, &w, before);
	hostile_stop(daemon);
	vm_detach(&w);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(after_many_rounds),
};

int main(int argc, char **argv)
{
	if (argc == 3)
		rounds = (unsigned int)strtoul(argv[2], NULL, 10);
	return tests_main(argc == 3 ? 2 : argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
