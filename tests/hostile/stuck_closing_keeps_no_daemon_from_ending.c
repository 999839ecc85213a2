/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever is left to be closed, and whoever waits for that: a worker that is killed is followed by
 * another, which serves, and a daemon that is told to stop ends. Afterwards, when the owner answers,
 * nothing of it remains (teardown waits for that).
 */
#include "hostile.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define FILES       16u
#define TCP_SOCKETS 32u
#define KILLS       3u /* with more, the VM v is kept out until what it sent is closed */

static const struct crossvm_component_emit emit = {
	.header = {CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, CROSSVM_COMPONENT_EMIT}};

/* Everywhere that somebody may send one to. */
struct attackers {
	int sockets[8];
	size_t count;
};

static void give_interrupts(int qemu, int fd)
{
	static const uint32_t actions[] = {VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_ACTION_UNMASK};

	for (size_t i = 0; i < 2; i++) {
		const struct vfio_irq_set set = {.argsz = sizeof(set),
						 .flags = VFIO_IRQ_SET_DATA_EVENTFD | actions[i],
						 .index = VFIO_PCI_INTX_IRQ_INDEX,
						 .count = 1};

		hostile_command(qemu, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_FLAGS_NO_REPLY, &set,
				sizeof(set), &fd, 1);
	}
}

static void give_dma(int qemu, int fd)
{
	const struct vfio_user_dma_map map = {.argsz = sizeof(map), .bytes = 4096};

	hostile_command(qemu, VFIO_USER_DMA_MAP, VFIO_USER_FLAGS_NO_REPLY, &map, sizeof(map), &fd,
			1);
}

/* Half a message, so that the descriptor waits for the rest in the worker's hands. */
static void give_half(int qemu, int fd)
{
	static const struct vfio_user_header header = {.command = VFIO_USER_DMA_MAP, .bytes = 48};

	hostile_send(qemu, &header, sizeof(header) / 2, &fd, 1);
}

static int component(const struct daemon *daemon)
{
	return hostile_connect(daemon, CROSSVM_COMPONENT_SOCKET_NAME, SOCK_SEQPACKET);
}

/* Where the daemon lets none of them in any more, nothing is sent. */
static struct attackers attack(const struct daemon *daemon)
{
	static const struct crossvm_component_request open = {.header = {CROSSVM_COMPONENT_MAGIC,
									 CROSSVM_COMPONENT_VERSION,
									 CROSSVM_COMPONENT_OPEN},
							      .connection = "bell",
							      .component = "a"};
	struct attackers attackers = {
		{hostile_qemu(daemon, "v.link.events"), hostile_qemu(daemon, "v.link.memory"),
		 hostile_qemu(daemon, "v.mixed.memory"), component(daemon), component(daemon)},
		5};
	int fd = hostile_make(daemon, HOSTILE_FUSE);

	hostile_send(attackers.sockets[3], &open, sizeof(open), NULL, 0);
	give_interrupts(attackers.sockets[0], fd);
	give_half(attackers.sockets[2], fd);
	for (unsigned int i = 0; i < FILES; i++) {
		give_dma(attackers.sockets[1], fd);
		hostile_send(attackers.sockets[3], &emit, sizeof(emit), &fd, 1);
		hostile_send(attackers.sockets[4], &emit, sizeof(emit), &fd, 1);
	}
	for (unsigned int i = 0; i < TCP_SOCKETS; i++) {
		fd = hostile_make(daemon, HOSTILE_TCP);
		give_dma(attackers.sockets[1], fd);
		hostile_send(attackers.sockets[3], &emit, sizeof(emit), &fd, 1);
		hostile_drop(HOSTILE_TCP, fd);
	}
	return attackers;
}

static void attackers_leave(struct attackers *attackers)
{
	for (size_t i = 0; i < attackers->count; i++)
		close(attackers->sockets[i]);
	attackers->count = 0;
}

static void while_attackers_stay(void **state)
{
	struct daemon *daemon = *state;
	struct attackers attackers;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	attackers = attack(daemon);
	hostile_expect_answers(&w);
	hostile_stop(daemon);
	attackers_leave(&attackers);
	vm_detach(&w);
}

static void after_attackers_have_left(void **state)
{
	struct daemon *daemon = *state;
	struct attackers attackers;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	attackers = attack(daemon);
	attackers_leave(&attackers);
	hostile_expect_answers(&w);
	hostile_stop(daemon);
	vm_detach(&w);
}

/* What a worker had in its hands is the next one's. */
static void with_workers_killed(void **state)
{
	struct daemon *daemon = *state;
	struct attackers attackers;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	for (unsigned int i = 0; i < KILLS; i++) {
		attackers = attack(daemon);
		kill(daemon_worker(daemon), SIGKILL);
		hostile_expect_answers(&w);
		attackers_leave(&attackers);
		kill(daemon_worker(daemon), SIGKILL);
		hostile_expect_answers(&w);
	}
	hostile_stop(daemon);
	vm_detach(&w);
}

/* The kernel drops what finds no number, and drops it in the name of who receives. */
static void with_a_full_table(void **state)
{
	struct daemon *daemon = *state;
	struct rlimit few = {8, 8}, limit;
	struct component a, b;
	struct vm w;
	int fd;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	assert_return_code(prlimit(daemon_worker(daemon), RLIMIT_NOFILE, NULL, &limit), errno);
	few.rlim_max = limit.rlim_max;
	assert_return_code(prlimit(daemon_worker(daemon), RLIMIT_NOFILE, &few, NULL), errno);
	hostile_pause(daemon, true);
	for (unsigned int i = 0; i < 256; i++) {
		fd = hostile_make(daemon, HOSTILE_TCP);
		hostile_send(a.socket, &emit, sizeof(emit), &fd, 1);
		hostile_drop(HOSTILE_TCP, fd);
	}
	close(a.socket);
	hostile_pause(daemon, false);
	hostile_expect_answers(&w);
	component_emit(&b);
	assert_return_code(prlimit(daemon_worker(daemon), RLIMIT_NOFILE, &limit, NULL), errno);
	hostile_stop(daemon);
	component_close(&b);
	vm_detach(&w);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(while_attackers_stay),
	HOSTILE_TEST(after_attackers_have_left),
	HOSTILE_TEST(with_workers_killed),
	HOSTILE_TEST(with_a_full_table),
};

TESTS_MAIN(tests)
