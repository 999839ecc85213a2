/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A way for two processes to pass messages, as the measurements see it. Side 0 is the parent,
 * side 1 its child. Messages of one measurement all have the same size.
 */
#ifndef CROSSVM_BENCH_HOST_TRANSPORT_H
#define CROSSVM_BENCH_HOST_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
	size_t size; /* of a message */
	unsigned int side;
	unsigned int batch; /* messages passed at a time; 1 unless the transport has batches */
	void *memory;       /* shared by both sides, zeroed */
	size_t memory_bytes;
	int fd[4];
	char path[64]; /* a name that nobody else uses */
	void *state;
};

struct transport {
	const char *name;
	const char *what;
	unsigned int batch;
	bool trips_only; /* holds one message, so that nothing can be streamed */
	/* Before the fork. Returns 0 or -errno: then it cannot carry messages of this size. */
	int (*prepare)(struct link *link);
	/* After it, on each side. */
	int (*join)(struct link *link);
	/* Pass count equal messages. Returns 0 or -errno. */
	int (*send)(struct link *link, const void *message, unsigned int count);
	/* Take 1 to batch messages into buffer, one behind the other. Returns how many, or -errno. */
	int (*receive)(struct link *link, void *buffer);
	/* On each side, before its end. */
	void (*leave)(struct link *link);
};

extern const struct transport transport_queue;
extern const struct transport transport_queue_batch;
extern const struct transport transport_queue_polling;
extern const struct transport transport_queue_polling_batch;
extern const struct transport transport_word;
extern const struct transport transport_pipe;
extern const struct transport transport_stream;
extern const struct transport transport_seqpacket;
extern const struct transport transport_mqueue;
#ifdef HAVE_DPDK
extern const struct transport transport_rte_ring;
extern const struct transport transport_rte_ring_batch;
#endif
#ifdef HAVE_ZMQ
extern const struct transport transport_zmq;
#endif
#ifdef HAVE_NNG
extern const struct transport transport_nng;
#endif

#endif
