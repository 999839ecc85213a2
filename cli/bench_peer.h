/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two sides of a benchmark on a channel: how they find each other, wait in one of three ways, and
 * follow what the leading one says. Both are of one version of this command; the other side is checked
 * all the same.
 */
#ifndef CROSSVM_CLI_BENCH_PEER_H
#define CROSSVM_CLI_BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/channel_connection.h>

enum bench_waiting {
	BENCH_BY_EVENT, /* sleep at once, whenever there is nothing */
	BENCH_ADAPTIVE, /* as the channel does it: poll briefly, then sleep */
	BENCH_POLLING,  /* never sleep */
	BENCH_WAITINGS
};

enum bench_kind {
	BENCH_HELLO =
		1,  /* value: session; then the other's, as far as known, and whether it serves */
	BENCH_WAIT, /* value: how to wait from now on; answered with READY */
	BENCH_READY,
	BENCH_PING, /* answered with PONG of the same size */
	BENCH_PONG,
	BENCH_DATA,
	BENCH_DONE,  /* answered with COUNT */
	BENCH_COUNT, /* value: how many DATA came since WAIT */
	BENCH_BYE,
};

#define BENCH_MAGIC   0x434e4558u /* "XENC" */
#define BENCH_VERSION 1u

/* What every message begins with. */
struct bench_head {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;
	uint64_t value;
};

struct bench {
	struct crossvm_channel *channel;
	struct crossvm_queue *queue;
	bool serves;
	bool leads;
	uint64_t session;
	uint64_t other_session;
	enum bench_waiting waiting;
	char *buffer;      /* of the largest message */
	const char *wrong; /* what the other side may not say, after -EPROTO */
};

/* @return 0 or -errno. */
int bench_init(struct bench *bench, struct crossvm_channel *channel, bool serves);
void bench_free(struct bench *bench);

/*
 * Wait for the other side, and agree on who leads: who does not serve, or the queue's first end.
 * @return 0 or an error of the channel.
 */
int bench_meet(struct bench *bench);

/* Send a message of size bytes, of the head at least. */
int bench_send(struct bench *bench, enum bench_kind kind, uint64_t value, size_t size);

/* Receive a message into the buffer, waiting as bench->waiting says. */
int bench_receive(struct bench *bench, struct bench_head *head, size_t *size);

/* The same, and it must be of that kind. */
int bench_expect(struct bench *bench, enum bench_kind kind, struct bench_head *head);

/* Do what the leading side says, until it says BYE. */
int bench_follow(struct bench *bench);

/* Nanoseconds of a clock. */
uint64_t bench_now(void);

#endif
