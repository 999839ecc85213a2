/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broadcasts on a connection: one member that may write the dataport publishes, and any number of
 * others, which need not be able to write it, read.
 *
 *	struct crossvm_channel_writer *writer;
 *	if (crossvm_channel_writer_open("telemetry", NULL, &writer))
 *		errx(1, "%s", crossvm_last_error());
 *	crossvm_broadcast_send(crossvm_channel_writer_broadcast(writer), &sample, sizeof(sample));
 *	crossvm_channel_writer_close(writer);
 *
 *	struct crossvm_channel_reader *reader;
 *	if (crossvm_channel_reader_open("telemetry", NULL, &reader))
 *		errx(1, "%s", crossvm_last_error());
 *	rc = crossvm_broadcast_receive(crossvm_channel_reader_broadcast(reader), &sample,
 *				       sizeof(sample), &size, &lost, CROSSVM_FOREVER);
 *
 * The writer waits for no reader; a reader that is too slow is told how many messages it lost. Its
 * deadlines are those of crossvm_channel_deadline(). Its wait ends with -EPIPE when the writer was
 * there and is gone without having closed, or when the host side is; with -EINTR after a signal
 * handler ran.
 *
 * Threads: one at a time uses a writer or a reader. One process at a time writes; any number reads.
 */
#ifndef CROSSVM_BROADCAST_CONNECTION_H
#define CROSSVM_BROADCAST_CONNECTION_H

#include <crossvm/channel_connection.h>

#ifdef __cplusplus
extern "C" {
#endif

struct crossvm_channel_writer;
struct crossvm_channel_reader;

struct crossvm_channel_writer_options {
	const struct crossvm_open_options *open; /* NULL: the defaults */
	uint32_t ring_every;                     /* as in struct crossvm_broadcast_config */
	bool format; /* discard what is in the dataport: only while nobody reads */
};

/*
 * Open a connection read-write and become the writer of its broadcast.
 *
 * @options: NULL for the defaults.
 * @writer: set to the writer; close it with crossvm_channel_writer_close().
 *
 * @return 0, what crossvm_connection_open() returns, -EINVAL (no dataport), -EPROTOTYPE (more than
 *   one member may write, so that a broadcast would not be safe from the others), or -EPROTO: what is
 *   in the dataport is no broadcast, or one of another geometry.
 */
int crossvm_channel_writer_open(const char *name,
				const struct crossvm_channel_writer_options *options,
				struct crossvm_channel_writer **writer);

/* Tell the readers that nothing more comes, and close the connection. NULL is accepted. */
void crossvm_channel_writer_close(struct crossvm_channel_writer *writer);

struct crossvm_broadcast_writer *
crossvm_channel_writer_broadcast(struct crossvm_channel_writer *writer);
struct crossvm_connection *crossvm_channel_writer_connection(struct crossvm_channel_writer *writer);

/* As crossvm_channel_explain(), for the results of the writer's calls. */
int crossvm_channel_writer_explain(const struct crossvm_channel_writer *writer, int result);

struct crossvm_channel_reader_options {
	const struct crossvm_open_options *open; /* NULL: the defaults */
	bool from_oldest; /* begin with the oldest message still there, not with the next one */
	uint32_t spin_us; /* as in struct crossvm_channel_options */
};

/* Fill in the defaults. */
void crossvm_channel_reader_options_init(struct crossvm_channel_reader_options *options);

/*
 * Open a connection read-only and become a reader of its broadcast. The writer need not be there yet.
 * Returns as crossvm_channel_writer_open() does.
 */
int crossvm_channel_reader_open(const char *name,
				const struct crossvm_channel_reader_options *options,
				struct crossvm_channel_reader **reader);

/* Close the connection; nobody is told. NULL is accepted. */
void crossvm_channel_reader_close(struct crossvm_channel_reader *reader);

struct crossvm_broadcast_reader *
crossvm_channel_reader_broadcast(struct crossvm_channel_reader *reader);
struct crossvm_connection *crossvm_channel_reader_connection(struct crossvm_channel_reader *reader);

/*
 * For an event loop: while crossvm_broadcast_idle(), poll crossvm_connection_fd(), and when it is
 * readable call this, which takes the events.
 *
 * @return 0, or -EPIPE when the writer was there and is gone, or the host side is.
 */
int crossvm_channel_reader_wake(struct crossvm_channel_reader *reader);

/* As crossvm_channel_explain(), for the results of the reader's calls. */
int crossvm_channel_reader_explain(const struct crossvm_channel_reader *reader, int result);

#ifdef __cplusplus
}
#endif

#endif
