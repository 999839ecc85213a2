/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors on which a call takes as long as their owner likes; and the death of workers. */
#include "attack.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "tests/hostile/descriptors.h"

#define WAIT_MS  20
#define AT_ONCE  500u /* TCP sockets whose peer is there */
#define BLOCK_US 150000
#define KILL_US  100000

struct sender {
	enum hostile_kind kind;
	int socket; /* -1: none */
	unsigned int sent;
};

static void *prepare_sender(enum hostile_kind kind)
{
	struct sender *sender = attack_memory(sizeof(*sender));

	*sender = (struct sender){.kind = kind, .socket = -1};
	return sender;
}

static void *prepare_tcp(const struct daemon *daemon)
{
	(void)daemon;
	return prepare_sender(HOSTILE_TCP);
}

static void *prepare_fuse(const struct daemon *daemon)
{
	(void)daemon;
	return prepare_sender(HOSTILE_FUSE);
}

/* Another connection if this one is full and stays so: all that is queued goes with it. */
static void map(const struct daemon *daemon, void *context)
{
	const struct vfio_user_dma_map message = {.argsz = sizeof(message), .bytes = 4096};
	struct sender *sender = context;
	struct pollfd ready = {.fd = sender->socket, .events = POLLOUT};
	int fd;

	if (sender->socket >= 0 && poll(&ready, 1, WAIT_MS) != 1) {
		close(sender->socket);
		sender->socket = -1;
	}
	if (sender->socket < 0)
		sender->socket = hostile_qemu(daemon, "v.narrow0.memory");
	if (sender->socket < 0)
		return;
	fd = hostile_make(daemon, sender->kind);
	if (hostile_command(sender->socket, VFIO_USER_DMA_MAP, VFIO_USER_FLAGS_NO_REPLY, &message,
			    sizeof(message), &fd, 1) == EPIPE) {
		close(sender->socket);
		sender->socket = -1;
	}
	hostile_drop(sender->kind, fd);
	if (sender->kind == HOSTILE_TCP && ++sender->sent % AT_ONCE == 0)
		descriptors_forget();
}

const struct attack attack_tcp = {"tcp", 0, false, prepare_tcp, map};
const struct attack attack_fuse = {"fuse", 0, true, prepare_fuse, map};

/* Eventfds of a QEMU, filled and made blocking before the guest is interrupted. */

static void *prepare_eventfds(const struct daemon *daemon)
{
	struct component *emitter = attack_memory(sizeof(*emitter));

	*emitter = component_open(daemon, "narrow0", "a0", 0);
	return emitter;
}

static void fill(const struct daemon *daemon, void *context)
{
	static const struct vfio_irq_set irqs = {.argsz = sizeof(irqs),
						 .flags = VFIO_IRQ_SET_DATA_EVENTFD |
							  VFIO_IRQ_SET_ACTION_TRIGGER,
						 .index = VFIO_PCI_MSI_IRQ_INDEX,
						 .count = 1};
	const struct component *emitter = context;
	const int qemu = hostile_qemu(daemon, "v.narrow0.events");
	const int interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd ready = {.fd = qemu, .events = POLLIN};

	assert_true(interrupt >= 0);
	if (qemu >= 0 && hostile_command(qemu, VFIO_USER_DEVICE_SET_IRQS, 0, &irqs, sizeof(irqs),
					 &interrupt, 1) == 0) {
		/* Once it is answered, the daemon has made it non-blocking. */
		poll(&ready, 1, WAIT_MS);
		descriptor_fill(interrupt);
		component_emit(emitter);
		usleep(BLOCK_US);
	}
	close(interrupt);
	if (qemu >= 0)
		close(qemu);
}

const struct attack attack_eventfds = {"eventfds", 0, false, prepare_eventfds, fill};

static void *prepare_kills(const struct daemon *daemon)
{
	return (void *)daemon;
}

static void kill_worker(const struct daemon *daemon, void *context)
{
	(void)context;
	kill(daemon_worker(daemon), SIGKILL);
	usleep(KILL_US);
}

const struct attack attack_kills = {"kills", 0, false, prepare_kills, kill_worker};
