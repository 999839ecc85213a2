/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stream of forward: a socket here, a number on the channel, and what is between them. A stream
 * knows what has to be said to the other side; forward_mux says it.
 */
#ifndef CROSSVM_CLI_FORWARD_STREAM_H
#define CROSSVM_CLI_FORWARD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/abi_forward.h>

#include "cli/forward_address.h"

struct forward_stream {
	bool used;
	bool open_due;   /* OPEN is to be sent */
	bool connecting; /* to the server */
	bool retry;      /* it was too busy; fd is -1 until then */
	int fd;          /* -1: none, or no more */

	/* From the socket to the other side. */
	uint32_t credit;
	bool read_all; /* the socket has ended: END is to be sent */
	bool end_sent;

	/* From the other side to the socket. */
	uint8_t *held; /* a ring of WINDOW_BYTES; NULL while nothing waits */
	uint32_t held_start;
	uint32_t held_bytes;
	uint32_t owed; /* delivered, and credit not yet returned */
	bool end_received;
	bool shut; /* the socket has been told of the end */

	bool broken; /* RESET is to be sent, or has been */
	bool reset_sent;
	bool reset_received;
};

/* Begin with a client that has come, or with a connection to the server. */
void forward_stream_accept(struct forward_stream *stream, int fd);
void forward_stream_connect(struct forward_stream *stream, const struct forward_address *address);

/* The socket may have connected, or can be tried again. */
void forward_stream_connected(struct forward_stream *stream, const struct forward_address *address);

/* Bytes from the other side; as many as its credit allows. What the socket does not take is held. */
void forward_stream_deliver(struct forward_stream *stream, const uint8_t *data, uint32_t size);
/* Deliver what is held, as far as the socket takes it; then the end. */
void forward_stream_flush(struct forward_stream *stream);

/* Credit to return now. */
uint32_t forward_stream_credit_due(const struct forward_stream *stream);

/* Whether reading the socket would help, as far as the stream knows. */
bool forward_stream_wants_input(const struct forward_stream *stream);
/* Whether there is something to be sent besides DATA. */
bool forward_stream_has_control(const struct forward_stream *stream);

/* Something failed here: close the socket, abruptly, and have the other side told. */
void forward_stream_break(struct forward_stream *stream);
/* Close and forget without telling anybody. */
void forward_stream_drop(struct forward_stream *stream);

/* Free the number when both sides are through with it. */
void forward_stream_finish(struct forward_stream *stream);

#endif
