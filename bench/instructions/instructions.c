/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks the paths of messages and events, to have their instructions counted by callgrind: a dump for
 * each path, named "PATH STEPS", where STEPS is how often it was walked. Without callgrind it does
 * nothing that can be seen.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include <crossvm/channel.h>

#include "device/device.h"

#define STEPS          128u
#define BATCH          32u
#define DATAPORT_BYTES (1u << 20)
#define MESSAGE_BYTES  1024u

struct bench {
	size_t size; /* of a message */
	struct crossvm_queue *left;
	struct crossvm_queue *right;
	struct crossvm_broadcast_writer writer;
	struct crossvm_broadcast_reader reader;
	struct crossvm_device device;
	uint64_t total;
	uint8_t message[MESSAGE_BYTES];
	uint8_t buffer[MESSAGE_BYTES];
};

struct path {
	const char *name;
	void (*prepare)(struct bench *bench); /* before each step, uncounted; NULL: nothing */
	void (*step)(struct bench *bench);
	void (*clean)(struct bench *bench); /* after each step, uncounted; NULL: nothing */
	size_t size;
	unsigned int parts; /* messages in a step */
};

static void must(int rc)
{
	if (rc)
		errx(1, "a path ends with %d", rc);
}

static void nothing(struct bench *bench)
{
	(void)bench;
}

static void queue_send(struct bench *bench)
{
	must(crossvm_queue_send(bench->left, bench->message, bench->size, CROSSVM_NOW));
}

static void queue_receive(struct bench *bench)
{
	size_t size;

	must(crossvm_queue_receive(bench->right, bench->buffer, MESSAGE_BYTES, &size, CROSSVM_NOW));
}

static void queue_send_batch(struct bench *bench)
{
	struct crossvm_slice slices[BATCH];
	size_t sent;

	for (unsigned int i = 0; i < BATCH; i++)
		slices[i] = (struct crossvm_slice){bench->message, bench->size};
	must(crossvm_queue_send_batch(bench->left, slices, BATCH, CROSSVM_NOW, &sent));
}

static void queue_receive_batch(struct bench *bench)
{
	struct crossvm_message messages[BATCH];
	size_t count;

	must(crossvm_queue_peek_batch(bench->right, messages, BATCH, CROSSVM_NOW, &count));
	crossvm_queue_release(bench->right);
}

static void queue_reserve(struct bench *bench)
{
	void *data;

	must(crossvm_queue_reserve(bench->left, bench->size, &data, CROSSVM_NOW));
	crossvm_queue_commit(bench->left);
}

static void queue_peek(struct bench *bench)
{
	struct crossvm_message message;

	must(crossvm_queue_peek(bench->right, &message, CROSSVM_NOW));
	crossvm_queue_release(bench->right);
}

static void broadcast_send(struct bench *bench)
{
	must(crossvm_broadcast_send(&bench->writer, bench->message, bench->size));
}

static void broadcast_receive(struct bench *bench)
{
	uint64_t lost;
	size_t size;

	must(crossvm_broadcast_receive(&bench->reader, bench->buffer, MESSAGE_BYTES, &size, &lost,
				       CROSSVM_NOW));
}

static void device_emit(struct bench *bench)
{
	const uint32_t value = 1;

	crossvm_device_registers_write(&bench->device, CROSSVM_REG_EMIT, &value, sizeof(value));
}

static void device_consume(struct bench *bench)
{
	if (!crossvm_device_events_set(&bench->device, ++bench->total))
		errx(1, "an event is not counted");
}

static const struct path paths[] = {
	{"nothing", NULL, nothing, NULL, 0, 1},
	{"queue: send, 8 B", NULL, queue_send, queue_receive, 8, 1},
	{"queue: send, 64 B", NULL, queue_send, queue_receive, 64, 1},
	{"queue: send, 1024 B", NULL, queue_send, queue_receive, 1024, 1},
	{"queue: receive, 8 B", queue_send, queue_receive, NULL, 8, 1},
	{"queue: receive, 64 B", queue_send, queue_receive, NULL, 64, 1},
	{"queue: receive, 1024 B", queue_send, queue_receive, NULL, 1024, 1},
	{"queue: send one of a batch of 32, 64 B", NULL, queue_send_batch, queue_receive_batch, 64,
	 BATCH},
	{"queue: peek one of a batch of 32, 64 B", queue_send_batch, queue_receive_batch, NULL, 64,
	 BATCH},
	{"queue: reserve and commit", NULL, queue_reserve, queue_peek, 64, 1},
	{"queue: peek and release", queue_reserve, queue_peek, NULL, 64, 1},
	{"broadcast: send, 64 B", NULL, broadcast_send, broadcast_receive, 64, 1},
	{"broadcast: receive, 64 B", broadcast_send, broadcast_receive, NULL, 64, 1},
	{"device: a guest's emit", NULL, device_emit, NULL, 0, 1},
	{"device: consume, a new count for the guest", NULL, device_consume, NULL, 0, 1},
};

static void ring(void *ctx)
{
	(void)ctx;
}

static int wait(void *ctx, uint64_t deadline)
{
	(void)ctx;
	(void)deadline;
	return -CROSSVM_ETIMEDOUT;
}

static void *zeroed(size_t bytes)
{
	void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

	if (!memory)
		err(1, "no memory");
	return memset(memory, 0, bytes);
}

static void open_channels(struct bench *bench)
{
	struct crossvm_port port = {.bytes = DATAPORT_BYTES, .ring = ring, .wait = wait};
	const struct crossvm_reader_config reader = {.from_oldest = false};
	const struct crossvm_broadcast_config writer = {.ring_every = 1};
	struct crossvm_queue **ends[] = {&bench->left, &bench->right};

	port.memory = zeroed(DATAPORT_BYTES);
	for (unsigned int i = 0; i < 2; i++) {
		const struct crossvm_queue_config config = {.member = i};

		*ends[i] = zeroed(sizeof(struct crossvm_queue));
		must(crossvm_queue_attach(*ends[i], &port, &config));
	}
	port.memory = zeroed(DATAPORT_BYTES);
	must(crossvm_broadcast_writer_attach(&bench->writer, &port, &writer));
	must(crossvm_broadcast_reader_attach(&bench->reader, &port, &reader));
}

static void route(void *context)
{
	(void)context;
}

static void open_device(struct bench *bench)
{
	static const struct crossvm_device_ops ops = {.emit = route};
	const struct crossvm_device_options options = {
		.layout = CROSSVM_LAYOUT_SPLIT,
		.name = "bench",
		.connection_id = 1,
		.member_count = 2,
		.access = CROSSVM_ACCESS_READ,
		.dataport_bytes = 4096,
		.msi = true,
	};
	const char *wrong;

	bench->device.state = zeroed(sizeof(*bench->device.state));
	bench->device.status = zeroed(sizeof(*bench->device.status));
	bench->device.ops = &ops;
	wrong = crossvm_device_state_init(bench->device.state, bench->device.status, NULL,
					  &options);
	if (wrong)
		errx(1, "no device: %s", wrong);
}

static void walk(struct bench *bench, const struct path *path)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/%u", path->name, STEPS * path->parts);
	bench->size = path->size;
	/* The first steps find peers that have come, and fill what is filled once. */
	for (unsigned int i = 0; i < 2 * STEPS; i++) {
		if (path->prepare)
			path->prepare(bench);
		if (i == STEPS)
			CALLGRIND_ZERO_STATS;
		if (i >= STEPS)
			CALLGRIND_TOGGLE_COLLECT;
		path->step(bench);
		if (i >= STEPS)
			CALLGRIND_TOGGLE_COLLECT;
		if (path->clean)
			path->clean(bench);
	}
	CALLGRIND_DUMP_STATS_AT(name);
}

int main(void)
{
	static struct bench bench;

	open_channels(&bench);
	open_device(&bench);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		walk(&bench, &paths[i]);
	return 0;
}
