/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest, or the QEMU that it has taken over, can send. */
#include "attack.h"

#include <poll.h>
#include <sys/socket.h>

#define BATCH       64u /* messages in a send() */
#define STORE_BYTES (sizeof(struct vfio_user_header) + sizeof(struct vfio_user_access) + 4)
#define READ_BYTES  (STORE_BYTES - 4)
#define SOCKETS     ((size_t)2 * (WIDE + NARROW))
#define WAIT_MS     100

/* Messages that a socket is to be sent again and again. */
struct batch {
	unsigned char bytes[BATCH * STORE_BYTES];
	size_t used;
};

static void add(struct batch *batch, uint16_t command, uint32_t flags, uint32_t offset,
		const uint32_t *value)
{
	const size_t bytes = value ? STORE_BYTES : READ_BYTES;
	const struct vfio_user_header header = {
		.command = command, .bytes = (uint32_t)bytes, .flags = flags};
	const struct vfio_user_access access = {
		.offset = offset, .region = VFIO_PCI_BAR0_REGION_INDEX, .count = 4};
	unsigned char *to = batch->bytes + batch->used;

	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), &access, sizeof(access));
	if (value)
		memcpy(to + READ_BYTES, value, sizeof(*value));
	batch->used += bytes;
}

/* Stores to the registers of four connections. */

struct stores {
	struct component others[WIDE * OTHERS];
	struct vm vms[WIDE];
	struct batch batch;
};

static void *prepare_stores(const struct daemon *daemon, uint32_t offset, const uint32_t *values)
{
	struct stores *stores = attack_memory(sizeof(*stores));
	char connection[16], name[16];

	for (unsigned int i = 0; i < WIDE; i++) {
		snprintf(connection, sizeof(connection), "wide%u", i);
		for (unsigned int j = 0; j < OTHERS; j++) {
			snprintf(name, sizeof(name), "a%u", j);
			stores->others[i * OTHERS + j] =
				component_open(daemon, connection, name, 0);
		}
		stores->vms[i] = vm_attach(daemon, "v", connection);
		vm_write_register(&stores->vms[i], CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN,
				  false);
	}
	attack_read_events(stores->others, (size_t)WIDE * OTHERS);
	for (unsigned int i = 0; i < BATCH; i++)
		add(&stores->batch, VFIO_USER_REGION_WRITE, VFIO_USER_FLAGS_NO_REPLY, offset,
		    &values[i % 2]);
	return stores;
}

static void *prepare_emits(const struct daemon *daemon)
{
	static const uint32_t any[2] = {1, 1};

	return prepare_stores(daemon, CROSSVM_REG_EMIT, any);
}

static void *prepare_toggles(const struct daemon *daemon)
{
	static const uint32_t toggles[2] = {0, CROSSVM_CONTROL_OPEN};

	return prepare_stores(daemon, CROSSVM_REG_CONTROL, toggles);
}

static void store(const struct daemon *daemon, void *context)
{
	const struct stores *stores = context;

	(void)daemon;
	for (unsigned int i = 0; i < WIDE; i++)
		assert_int_equal(send(stores->vms[i].events, stores->batch.bytes,
				      stores->batch.used, MSG_NOSIGNAL),
				 stores->batch.used);
}

const struct attack attack_emits = {"emits", 0, false, prepare_emits, store};
const struct attack attack_toggles = {"toggles", 0, false, prepare_toggles, store};

/* Requests on all sockets of a VM, whose answers are read. */

struct requests {
	struct pollfd sockets[SOCKETS];
	size_t sent[SOCKETS]; /* of the batch */
	struct batch batch;
};

static void *prepare_requests(const struct daemon *daemon)
{
	struct requests *requests = attack_memory(sizeof(*requests));

	for (unsigned int i = 0; i < WIDE + NARROW; i++) {
		char name[16];
		struct vm vm;

		if (i < WIDE)
			snprintf(name, sizeof(name), "wide%u", i);
		else
			snprintf(name, sizeof(name), "narrow%u", i - WIDE);
		vm = vm_attach(daemon, "v", name);
		requests->sockets[(size_t)2 * i] =
			(struct pollfd){.fd = vm.events, .events = POLLIN | POLLOUT};
		requests->sockets[(size_t)2 * i + 1] =
			(struct pollfd){.fd = vm.memory, .events = POLLIN | POLLOUT};
	}
	for (unsigned int i = 0; i < BATCH; i++)
		add(&requests->batch, VFIO_USER_REGION_READ, 0, CROSSVM_REG_TOTAL_EVENTS, NULL);
	return requests;
}

static void request(const struct daemon *daemon, void *context)
{
	struct requests *requests = context;
	char answers[65536];

	(void)daemon;
	poll(requests->sockets, SOCKETS, WAIT_MS);
	for (size_t i = 0; i < SOCKETS; i++) {
		size_t *sent = &requests->sent[i];
		const int fd = requests->sockets[i].fd;
		ssize_t n;

		if (requests->sockets[i].revents & POLLIN)
			assert_true(recv(fd, answers, sizeof(answers), MSG_DONTWAIT) > 0);
		n = send(fd, requests->batch.bytes + *sent, requests->batch.used - *sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			*sent = (*sent + (size_t)n) % requests->batch.used;
	}
}

const struct attack attack_requests = {"requests", 0, false, prepare_requests, request};
