/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/bench_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Polls between two looks at the clock, and how long nothing may come before even a poller sleeps. */
#define POLLS       4096
#define PATIENCE_NS UINT64_C(1000000000)
/* While a hello has no room yet. */
#define GLANCE_MS 10

struct hello {
	struct bench_head head;
	uint64_t answers;
	uint64_t serves;
};

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int bench_init(struct bench *bench, struct crossvm_channel *channel, bool serves)
{
	*bench = (struct bench){
		.channel = channel, .queue = crossvm_channel_queue(channel), .serves = serves};
	if (getrandom(&bench->session, sizeof(bench->session), 0) != sizeof(bench->session))
		return -errno;
	bench->session |= 1;
	/* Both rings are of one size, and the first may be 64 bytes larger. */
	bench->buffer = calloc(1, crossvm_queue_max_message(bench->queue) + 64);
	return bench->buffer ? 0 : -ENOMEM;
}

void bench_free(struct bench *bench)
{
	free(bench->buffer);
}

static int violation(struct bench *bench, const char *what)
{
	bench->wrong = what;
	return -EPROTO;
}

/* Copied, and only then looked at: the sender may still be writing. */
static int take(struct bench *bench, const struct crossvm_message *message, struct bench_head *head,
		size_t *size)
{
	size_t max = crossvm_queue_max_message(bench->queue) + 64;

	*size = message->size;
	if (message->size < sizeof(*head) || message->size > max)
		return violation(bench, "a message of a wrong size");
	memcpy(bench->buffer, message->data, message->size);
	crossvm_queue_release(bench->queue);
	memcpy(head, bench->buffer, sizeof(*head));
	if (head->magic != BENCH_MAGIC || head->version != BENCH_VERSION)
		return violation(bench, "nothing that belongs to this version of bench");
	return 0;
}

/* Sleep until the other side rings or goes. */
static int sleep_for_ring(struct bench *bench, int timeout_ms)
{
	struct crossvm_connection *conn = crossvm_channel_connection(bench->channel);
	int rc = crossvm_connection_wait_change(conn, timeout_ms, NULL, NULL);

	return rc == -EINTR || (timeout_ms >= 0 && rc == -ETIMEDOUT) ? 0 : rc;
}

static int peek_by_event(struct bench *bench, struct crossvm_message *message)
{
	bool slept = false;

	for (;;) {
		int rc = crossvm_queue_peek(bench->queue, message, CROSSVM_NOW);

		if (rc != -EAGAIN)
			return rc;
		/* Woken for nothing: has the other side gone? */
		rc = slept ? crossvm_channel_wake(bench->channel) : 0;
		if (!rc && crossvm_queue_arm_receive(bench->queue)) {
			rc = sleep_for_ring(bench, -1);
			slept = true;
		}
		if (rc)
			return rc;
	}
}

static int peek_polling(struct bench *bench, struct crossvm_message *message)
{
	uint64_t start = 0;

	for (;;) {
		int rc = -EAGAIN;
		uint64_t now;

		for (int i = 0; i < POLLS && rc == -EAGAIN; i++)
			rc = crossvm_queue_peek(bench->queue, message, CROSSVM_NOW);
		if (rc != -EAGAIN)
			return rc;
		rc = crossvm_channel_wake(bench->channel);
		if (rc)
			return rc;
		now = bench_now();
		if (!start)
			start = now;
		if (now - start > PATIENCE_NS)
			return peek_by_event(bench, message);
	}
}

static int peek(struct bench *bench, struct crossvm_message *message)
{
	int rc;

	switch (bench->waiting) {
	case BENCH_BY_EVENT:
		return peek_by_event(bench, message);
	case BENCH_POLLING:
		return peek_polling(bench, message);
	default:
		do
			rc = crossvm_queue_peek(bench->queue, message, CROSSVM_FOREVER);
		while (rc == -EINTR);
		return rc;
	}
}

int bench_receive(struct bench *bench, struct bench_head *head, size_t *size)
{
	for (;;) {
		struct crossvm_message message;
		int rc = peek(bench, &message);

		if (!rc)
			rc = take(bench, &message, head, size);
		if (rc || head->kind != BENCH_HELLO)
			return rc;
		/* One that began anew begins with us anew. */
		if (head->value != bench->other_session)
			return -ECONNRESET;
	}
}

int bench_expect(struct bench *bench, enum bench_kind kind, struct bench_head *head)
{
	size_t size;
	int rc = bench_receive(bench, head, &size);

	if (!rc && head->kind != kind)
		rc = violation(bench, "something else than the answer");
	return rc;
}

int bench_send(struct bench *bench, enum bench_kind kind, uint64_t value, size_t size)
{
	const struct bench_head head = {BENCH_MAGIC, BENCH_VERSION, (uint16_t)kind, value};
	int rc;

	memcpy(bench->buffer, &head, sizeof(head));
	do
		rc = crossvm_queue_send(bench->queue, bench->buffer,
					size < sizeof(head) ? sizeof(head) : size, CROSSVM_FOREVER);
	while (rc == -EINTR || rc == -ECONNRESET); /* what comes next tells who it is now */
	return rc;
}

/* Does not wait. 0: sent; -EAGAIN: not now; or an error. */
static int send_hello(struct bench *bench)
{
	const struct hello hello = {
		.head = {BENCH_MAGIC, BENCH_VERSION, BENCH_HELLO, bench->session},
		.answers = bench->other_session,
		.serves = bench->serves,
	};
	int rc;

	do
		rc = crossvm_queue_send(bench->queue, &hello, sizeof(hello), CROSSVM_NOW);
	while (rc == -ECONNRESET);
	/* Who has left will be followed by another. */
	return rc == -ESHUTDOWN ? -EAGAIN : rc;
}

/* A hello answers ours: 1; else 0, and *due if it is to be answered; or an error. */
static int take_hello(struct bench *bench, const struct crossvm_message *message, bool *due)
{
	struct bench_head head;
	struct hello hello;
	size_t size;
	int rc = take(bench, message, &head, &size);

	/* What is left over from an earlier life may be anything. */
	if (rc || head.kind != BENCH_HELLO || size != sizeof(hello)) {
		crossvm_queue_release(bench->queue);
		bench->wrong = NULL;
		return 0;
	}
	memcpy(&hello, bench->buffer, sizeof(hello));
	if (head.value != bench->other_session || hello.answers != bench->session)
		*due = true;
	bench->other_session = head.value;
	if (hello.answers != bench->session)
		return 0;
	if (hello.serves && bench->serves)
		return violation(bench, "that it serves as well; one side must lead");
	bench->leads = !bench->serves && (hello.serves || bench->queue->member == 0);
	return 1;
}

int bench_meet(struct bench *bench)
{
	bool due = true, met = false;

	while (due || !met) {
		struct crossvm_message message;
		int rc = due ? send_hello(bench) : 0;

		if (rc && rc != -EAGAIN)
			return rc;
		due = rc == -EAGAIN;
		rc = met ? -EAGAIN : crossvm_queue_peek(bench->queue, &message, CROSSVM_NOW);
		if (rc == -ECONNRESET)
			continue;
		if (!rc) {
			rc = take_hello(bench, &message, &due);
			if (rc < 0)
				return rc;
			met = rc > 0;
			continue;
		}
		if (rc != -EAGAIN && rc != -ENODATA)
			return rc;
		/* Nobody there, or somebody who has not said anything yet. */
		if (rc == -ENODATA || due || (!met && crossvm_queue_arm_receive(bench->queue)))
			rc = sleep_for_ring(bench, due ? GLANCE_MS : -1);
		if (rc && rc != -EAGAIN && rc != -ENODATA)
			return rc;
	}
	bench->waiting = BENCH_ADAPTIVE;
	return 0;
}

int bench_follow(struct bench *bench)
{
	uint64_t count = 0;

	for (;;) {
		struct bench_head head;
		size_t size;
		int rc = bench_receive(bench, &head, &size);

		if (rc)
			return rc;
		switch (head.kind) {
		case BENCH_WAIT:
			if (head.value >= BENCH_WAITINGS)
				return violation(bench, "a way of waiting that there is not");
			bench->waiting = (enum bench_waiting)head.value;
			count = 0;
			rc = bench_send(bench, BENCH_READY, 0, 0);
			break;
		case BENCH_PING:
			if (size > crossvm_queue_max_message(bench->queue))
				return violation(bench, "a PING that cannot be answered");
			rc = bench_send(bench, BENCH_PONG, head.value, size);
			break;
		case BENCH_DATA:
			count++;
			break;
		case BENCH_DONE:
			rc = bench_send(bench, BENCH_COUNT, count, 0);
			break;
		case BENCH_BYE:
			return 0;
		default:
			return violation(bench, "something that nobody who leads says");
		}
		if (rc)
			return rc;
	}
}
