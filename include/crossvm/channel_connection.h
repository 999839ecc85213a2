/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels on a connection: opens a connection by its name, makes its dataport a queue, and lets
 * waiting sleep on the connection's events.
 *
 *	struct crossvm_channel *channel;
 *	if (crossvm_channel_open("chat", NULL, &channel))
 *		errx(1, "%s", crossvm_last_error());
 *	crossvm_queue_send(crossvm_channel_queue(channel), "hello", 5, CROSSVM_FOREVER);
 *	crossvm_channel_close(channel);
 *
 * Deadlines are those of crossvm_channel_deadline(). A wait ends with -EPIPE when the other side
 * was there and is gone, or when the host side is; with -EINTR after a signal handler ran.
 *
 * Threads: one at a time uses a channel. One process at a time takes part in a queue as a member.
 */
#ifndef CROSSVM_CHANNEL_CONNECTION_H
#define CROSSVM_CHANNEL_CONNECTION_H

#include <crossvm/channel.h>
#include <crossvm/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

struct crossvm_channel;

/*
 * Which end of the queue we are. AUTO: by the member id, where two members may write, or where the
 * host does not tell who may and there are only two.
 */
#define CROSSVM_CHANNEL_END_AUTO   0
#define CROSSVM_CHANNEL_END_FIRST  1
#define CROSSVM_CHANNEL_END_SECOND 2

/*
 * How long to poll before a sleep, at most; polls are measured when the channel is opened. Longer than
 * a VM takes to be woken: two sides that sleep otherwise never find out that polling would do.
 */
#define CROSSVM_CHANNEL_SPIN_US_DEFAULT 200u

struct crossvm_channel_options {
	const struct crossvm_open_options *open; /* NULL: the defaults */
	int end;                                 /* CROSSVM_CHANNEL_END_... */
	unsigned int flags;                      /* CROSSVM_QUEUE_... */
	uint64_t first_ring_bytes;               /* as in struct crossvm_queue_config */
	uint32_t spin_us;
	bool format; /* discard what is in the dataport: only while the other side is away */
};

/* Fill in the defaults. */
void crossvm_channel_options_init(struct crossvm_channel_options *options);

/*
 * Open a connection as a queue, read-write.
 *
 * @options: NULL for the defaults.
 * @channel: set to the channel; close it with crossvm_channel_close().
 *
 * @return 0, what crossvm_connection_open() returns, -EINVAL (no dataport, or more than two members
 *   that may write and no end told), -EPROTOTYPE (only one member may write: see
 *   <crossvm/broadcast_connection.h>), or -EPROTO: what is in the dataport is no queue, or one of
 *   another geometry; crossvm_last_error() says what differs.
 */
int crossvm_channel_open(const char *name, const struct crossvm_channel_options *options,
			 struct crossvm_channel **channel);

/* Detach from the queue, which tells the other side, and close the connection. NULL is accepted. */
void crossvm_channel_close(struct crossvm_channel *channel);

struct crossvm_queue *crossvm_channel_queue(struct crossvm_channel *channel);
struct crossvm_connection *crossvm_channel_connection(struct crossvm_channel *channel);

/* The deadline for the queue's calls that is timeout_ms from now; -1: for ever, 0: now. */
uint64_t crossvm_channel_deadline(int timeout_ms);

/*
 * For an event loop: crossvm_queue_arm_receive() or crossvm_queue_arm_send(), then poll
 * crossvm_connection_fd(), and when it is readable call this, which takes the events.
 *
 * @return 0, or -EPIPE when the other side was there and is gone, or the host side is.
 */
int crossvm_channel_wake(struct crossvm_channel *channel);

/*
 * Explain a result of the queue's calls on this channel; crossvm_last_error() then has a sentence.
 * @return the result.
 */
int crossvm_channel_explain(const struct crossvm_channel *channel, int result);

#ifdef __cplusplus
}
#endif

#endif
