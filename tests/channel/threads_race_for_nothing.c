/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both sides of a queue, and a broadcast with its readers, in threads of one process, for the
 * thread sanitizer: every pair of accesses must be ordered by the acquire and release that the
 * code names. Sleeps are real and without a limit, so that a lost wakeup hangs the test.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/channel/processes.h"

#define REGION 16384

static unsigned long messages = 100000;

struct side {
	void *memory;
	unsigned int member;
	uint32_t spin_limit;
	struct bells bells;
	struct crossvm_queue queue;
	struct crossvm_port port;
};

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void side_port(struct side *side)
{
	side->port = (struct crossvm_port){.memory = side->memory,
					   .bytes = REGION,
					   .ring = bells_ring,
					   .wait = bells_wait,
					   .ctx = &side->bells};
}

static size_t size_of(unsigned long number)
{
	return number % 97 == 5 ? 3000 : number * 13 % 200;
}

static void *sends(void *arg)
{
	struct side *side = arg;
	static uint8_t data[2][4096];

	for (unsigned long i = 0; i < messages; i++) {
		uint8_t *mine = data[side->member];
		int rc;

		memset(mine, (int)(i & 0xff), size_of(i));
		rc = crossvm_queue_send(&side->queue, mine, size_of(i), CROSSVM_FOREVER);
		must(!rc, "send failed");
	}
	return NULL;
}

static void *receives(void *arg)
{
	struct side *side = arg;

	for (unsigned long i = 0; i < messages; i++) {
		struct crossvm_message message;
		int rc = crossvm_queue_peek(&side->queue, &message, CROSSVM_FOREVER);
		const uint8_t *data;

		must(!rc, "peek failed");
		data = message.data;
		must(message.id == i && message.size == size_of(i), "wrong message");
		for (size_t k = 0; k < message.size; k++)
			must(data[k] == (uint8_t)i, "wrong contents");
		crossvm_queue_release(&side->queue);
	}
	return NULL;
}

/* One direction, so that each bell has one sleeper. */
static void queue_between_threads(uint32_t spin_limit)
{
	void *memory = aligned_alloc(4096, REGION);
	static struct side side[2];
	struct bells bells[2];
	pthread_t thread[2];

	memset(memory, 0, REGION);
	must(!bells_init(bells), "no event descriptors");
	for (unsigned int i = 0; i < 2; i++) {
		struct crossvm_queue_config config = {.member = i, .spin_limit = spin_limit};

		side[i] = (struct side){.memory = memory, .member = i, .bells = bells[i]};
		side_port(&side[i]);
		must(!crossvm_queue_attach(&side[i].queue, &side[i].port, &config),
		     "attach failed");
	}
	pthread_create(&thread[0], NULL, sends, &side[0]);
	pthread_create(&thread[1], NULL, receives, &side[1]);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	bells_free(bells);
	free(memory);
}

struct listener {
	void *memory;
	unsigned long seen, lost;
};

static void no_ring(void *ctx)
{
	(void)ctx;
}

static int yield_wait(void *ctx, uint64_t deadline)
{
	(void)ctx;
	(void)deadline;
	sched_yield();
	return 0;
}

static void *listens(void *arg)
{
	struct listener *listener = arg;
	struct crossvm_port port = {
		.memory = listener->memory, .bytes = REGION, .wait = yield_wait};
	struct crossvm_reader_config config = {.spin_limit = 10};
	struct crossvm_broadcast_reader reader;
	uint8_t data[4096];
	size_t size;
	uint64_t lost;
	int rc;

	must(!crossvm_broadcast_reader_attach(&reader, &port, &config), "reader failed to attach");
	while ((rc = crossvm_broadcast_receive(&reader, data, sizeof(data), &size, &lost,
					       CROSSVM_FOREVER)) != -CROSSVM_ENODATA) {
		if (rc == -CROSSVM_EAGAIN)
			continue;
		must(!rc, "receive failed");
		for (size_t k = 1; k < size; k++)
			must(data[k] == data[0], "torn message");
		listener->seen++;
		listener->lost += lost;
	}
	return NULL;
}

static void broadcast_between_threads(void)
{
	static struct listener listeners[2];
	struct crossvm_broadcast_writer writer;
	struct crossvm_broadcast_config config = {.ring_every = 1};
	struct crossvm_port port = {.bytes = REGION, .ring = no_ring};
	pthread_t thread[2];
	uint8_t data[4096];

	port.memory = aligned_alloc(4096, REGION);
	memset(port.memory, 0, REGION);
	for (unsigned int i = 0; i < 2; i++) {
		listeners[i] = (struct listener){.memory = port.memory};
		pthread_create(&thread[i], NULL, listens, &listeners[i]);
	}
	must(!crossvm_broadcast_writer_attach(&writer, &port, &config), "writer failed to attach");
	for (unsigned long i = 0; i < messages; i++) {
		memset(data, (int)(i & 0xff), size_of(i));
		must(!crossvm_broadcast_send(&writer, data, size_of(i)), "publish failed");
		if (i % 16 == 0)
			sched_yield();
	}
	crossvm_broadcast_writer_detach(&writer);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		must(listeners[i].seen + listeners[i].lost <= messages, "more than there were");
		printf("reader %u: %lu received, %lu lost\n", i, listeners[i].seen,
		       listeners[i].lost);
	}
	free(port.memory);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		messages = strtoul(argv[1], NULL, 10);
	queue_between_threads(0);
	queue_between_threads(100);
	broadcast_between_threads();
	return 0;
}
