/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The streams of forward on one queue: who the other side is, what it says, and what is to be said to
 * it, as <crossvm/abi_forward.h> describes. The other side is hostile until checked: what it may not
 * say ends forward, with a sentence; the memory and descriptors that it can make us take are bounded.
 */
#ifndef CROSSVM_CLI_FORWARD_MUX_H
#define CROSSVM_CLI_FORWARD_MUX_H

#include <crossvm/channel_connection.h>

#include "cli/forward_stream.h"

struct forward_mux {
	struct crossvm_queue *queue;
	struct forward_address address; /* of the server, where we connect */
	bool listens;
	size_t chunk; /* most bytes of DATA in a message */

	uint64_t session;
	uint64_t other_session;
	bool together; /* both know each other's session */
	bool hello_due;
	bool other_left;   /* for now: it says that nothing more comes from it */
	bool full;         /* something is to be sent, and has no room; the caller clears it */
	const char *wrong; /* what the other side may not say, after -EPROTO */

	struct forward_stream streams[CROSSVM_FORWARD_STREAMS];
};

/* @return 0 or -errno (no random numbers). */
int forward_mux_init(struct forward_mux *mux, struct crossvm_queue *queue, bool listens,
		     const struct forward_address *address);

/* A stream number that is free, or NULL: now is no time to accept a client. */
struct forward_stream *forward_mux_free_stream(struct forward_mux *mux);

/* Take some of what the other side has sent. @return 0 or an error of the queue, or -EPROTO. */
int forward_mux_receive(struct forward_mux *mux);

/* Say what is due, but for DATA. @return 0 or an error of the queue. */
int forward_mux_send_control(struct forward_mux *mux);

/* Read the stream's socket and send it as DATA. @return 0 or an error of the queue. */
int forward_mux_send_data(struct forward_mux *mux, struct forward_stream *stream);

/* Whether there is something to receive, or room for what is to be sent; if not, we are to be rung. */
bool forward_mux_arm(struct forward_mux *mux);

/* The other side is gone: end all streams, and wait for the next one. */
void forward_mux_other_gone(struct forward_mux *mux);

#endif
