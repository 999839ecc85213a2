/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A way for programs in two VMs to pass messages, as the measurements see it. Side 0 and side 1 run the
 * same program, each in its VM. Messages of one measurement all have the same size.
 */
#ifndef BENCH_MESSAGES_TRANSPORT_H
#define BENCH_MESSAGES_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_BYTES_MAX 32768u

struct link {
	unsigned int side;
	size_t size; /* of a message, set before each measurement */
	int fd;
	void *state;
};

struct transport {
	const char *name;
	/* Loses messages: a receive then ends with -EAGAIN after LOSSY_MS. */
	bool lossy;
	/* Carries no data at all: only round trips, and of the smallest size. */
	bool word_only;
	/* Both sides at about the same time. Ends the program with a message if it fails. */
	void (*open)(struct link *link);
	/* Return 0 or -errno. */
	int (*send)(struct link *link, const void *message);
	int (*receive)(struct link *link, void *buffer);
};

#define LOSSY_MS 100

extern const struct transport transport_word;
extern const struct transport transport_queue;
extern const struct transport transport_queue_interrupt;
extern const struct transport transport_queue_polling;
extern const struct transport transport_ivshmem;
extern const struct transport transport_ivshmem_polling;
extern const struct transport transport_serial;
extern const struct transport transport_tcp_dgram;
extern const struct transport transport_tcp_stream;
extern const struct transport transport_udp_dgram;
extern const struct transport transport_udp_stream;

/* For what reads and writes bytes: all of a message, or -errno. */
int write_all(int fd, const void *message, size_t size);
int read_all(int fd, void *buffer, size_t size);

#endif
