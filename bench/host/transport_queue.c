/* SPDX-License-Identifier: BSD-2-Clause */
/* Our own queue: waiting as it comes, or polling only; message by message, or in batches. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <crossvm/channel.h>

#include "bench/host/transport.h"

static void ring(void *ctx)
{
	const struct link *link = ctx;
	const uint64_t one = 1;

	(void)!write(link->fd[1 - link->side], &one, sizeof(one));
}

static int sleep_for_ring(void *ctx, uint64_t deadline)
{
	const struct link *link = ctx;
	uint64_t count;

	(void)deadline;
	return read(link->fd[link->side], &count, sizeof(count)) < 0 ? -errno : 0;
}

static int keep_polling(void *ctx, uint64_t deadline)
{
	(void)ctx;
	(void)deadline;
	return 0;
}

static int prepare(struct link *link)
{
	for (int i = 0; i < 2; i++) {
		link->fd[i] = eventfd(0, EFD_CLOEXEC);
		if (link->fd[i] < 0)
			return -errno;
	}
	return 0;
}

static int join(struct link *link, unsigned int flags)
{
	struct crossvm_queue_config config = {
		.member = link->side, .flags = flags, .spin_limit = CROSSVM_SPIN_LIMIT_DEFAULT};
	struct crossvm_port port = {.memory = link->memory,
				    .bytes = link->memory_bytes,
				    .ring = ring,
				    .wait = flags ? keep_polling : sleep_for_ring,
				    .ctx = link};

	link->state = aligned_alloc(128, (sizeof(struct crossvm_queue) + 127) / 128 * 128);
	return link->state ? crossvm_queue_attach(link->state, &port, &config) : -ENOMEM;
}

static int join_waiting(struct link *link)
{
	return join(link, 0);
}

static int join_polling(struct link *link)
{
	return join(link, CROSSVM_QUEUE_POLLING);
}

static int send_one(struct link *link, const void *message, unsigned int count)
{
	int rc = 0;

	for (unsigned int i = 0; i < count && !rc; i++)
		rc = crossvm_queue_send(link->state, message, link->size, CROSSVM_FOREVER);
	return rc;
}

static int send_batch(struct link *link, const void *message, unsigned int count)
{
	struct crossvm_slice slices[64];
	size_t sent;

	for (unsigned int i = 0; i < count; i++)
		slices[i] = (struct crossvm_slice){message, link->size};
	return crossvm_queue_send_batch(link->state, slices, count, CROSSVM_FOREVER, &sent);
}

static int receive_one(struct link *link, void *buffer)
{
	size_t size;
	int rc = crossvm_queue_receive(link->state, buffer, link->size, &size, CROSSVM_FOREVER);

	return rc ? rc : 1;
}

static int receive_batch(struct link *link, void *buffer)
{
	struct crossvm_message messages[64];
	uint8_t *to = buffer;
	size_t count;
	int rc = crossvm_queue_peek_batch(link->state, messages, link->batch, CROSSVM_FOREVER,
					  &count);

	for (size_t i = 0; i < count && !rc; i++) {
		memcpy(to, messages[i].data, messages[i].size);
		to += messages[i].size;
	}
	crossvm_queue_release(link->state);
	return rc ? rc : (int)count;
}

static void leave(struct link *link)
{
	crossvm_queue_detach(link->state);
	free(link->state);
	close(link->fd[0]);
	close(link->fd[1]);
}

const struct transport transport_queue = {
	.name = "crossvm",
	.what = "crossvm queue, message by message, sleeps when idle",
	.batch = 1,
	.prepare = prepare,
	.join = join_waiting,
	.send = send_one,
	.receive = receive_one,
	.leave = leave,
};

const struct transport transport_queue_batch = {
	.name = "crossvm x32",
	.what = "crossvm queue, up to 32 messages at a time, sleeps when idle",
	.batch = 32,
	.prepare = prepare,
	.join = join_waiting,
	.send = send_batch,
	.receive = receive_batch,
	.leave = leave,
};

const struct transport transport_queue_polling = {
	.name = "crossvm polling",
	.what = "crossvm queue, message by message, both sides poll",
	.batch = 1,
	.prepare = prepare,
	.join = join_polling,
	.send = send_one,
	.receive = receive_one,
	.leave = leave,
};

const struct transport transport_queue_polling_batch = {
	.name = "crossvm polling x32",
	.what = "crossvm queue, up to 32 messages at a time, both sides poll",
	.batch = 32,
	.prepare = prepare,
	.join = join_polling,
	.send = send_batch,
	.receive = receive_batch,
	.leave = leave,
};
