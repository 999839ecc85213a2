/* SPDX-License-Identifier: BSD-2-Clause */
/* A broadcast in a connection's dataport, whose readers sleep on the connection's events. */
#include <crossvm/broadcast_connection.h>

#include <errno.h>
#include <stdlib.h>

#include "lib/channel_base.h"
#include "lib/error.h"

struct crossvm_channel_writer {
	struct crossvm_broadcast_writer broadcast;
	struct channel_base base;
};

struct crossvm_channel_reader {
	struct crossvm_broadcast_reader broadcast;
	struct channel_base base;
};

/* Nobody but the writer may be able to write, where the host tells. */
static int check_writers(struct channel_base *base)
{
	unsigned int writers = channel_base_writers(base);

	if (writers > 1)
		return crossvm_fail(-EPROTOTYPE,
				    "connection '%s' has %u members that may write; a broadcast "
				    "needs one, and readers with 'access: read-only'",
				    base->name, writers);
	if (base->info.writers)
		base->others = base->info.writers;
	return 0;
}

/* Only readers look at who is gone: a writer waits for nobody. */
static uint64_t nobody(const struct channel_base *base)
{
	(void)base;
	return 0;
}

static void ring(void *ctx)
{
	struct crossvm_channel_writer *writer = ctx;

	channel_base_ring(&writer->base);
}

static int writer_attach(struct crossvm_channel_writer *writer,
			 const struct crossvm_channel_writer_options *options)
{
	struct crossvm_port port = {.ring = ring, .ctx = writer};
	struct crossvm_broadcast_config config = {.ring_every = options->ring_every};
	int rc = channel_base_dataport(&writer->base, "broadcast", &port);

	if (!rc)
		rc = check_writers(&writer->base);
	if (rc)
		return rc;
	if (options->format)
		crossvm_broadcast_format(&port);
	rc = crossvm_broadcast_writer_attach(&writer->broadcast, &port, &config);
	return crossvm_channel_writer_explain(writer, rc);
}

int crossvm_channel_writer_open(const char *name,
				const struct crossvm_channel_writer_options *options,
				struct crossvm_channel_writer **writer)
{
	const unsigned int access = CROSSVM_OPEN_READ | CROSSVM_OPEN_WRITE | CROSSVM_OPEN_EMIT;
	const struct crossvm_channel_writer_options defaults = {0};
	struct crossvm_channel_writer *opened;
	int rc;

	if (!options)
		options = &defaults;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return crossvm_fail(-ENOMEM, "out of memory for the broadcast '%s'", name);
	opened->base.other_incarnation = nobody;
	rc = channel_base_open(&opened->base, name, access, options->open);
	if (!rc)
		rc = writer_attach(opened, options);
	if (rc) {
		crossvm_connection_close(opened->base.conn);
		free(opened);
		return rc;
	}
	*writer = opened;
	return 0;
}

void crossvm_channel_writer_close(struct crossvm_channel_writer *writer)
{
	if (!writer)
		return;
	crossvm_broadcast_writer_detach(&writer->broadcast);
	crossvm_connection_close(writer->base.conn);
	free(writer);
}

struct crossvm_broadcast_writer *
crossvm_channel_writer_broadcast(struct crossvm_channel_writer *writer)
{
	return &writer->broadcast;
}

struct crossvm_connection *crossvm_channel_writer_connection(struct crossvm_channel_writer *writer)
{
	return writer->base.conn;
}

int crossvm_channel_writer_explain(const struct crossvm_channel_writer *writer, int result)
{
	/* Before it is attached, it has no ring to ask about. */
	size_t max = writer->broadcast.ring_bytes
			     ? crossvm_broadcast_max_message(&writer->broadcast)
			     : 0;

	return channel_base_explain(&writer->base, result, writer->broadcast.complaint, max);
}

/* 0 once it has closed; for one that was killed it stays. */
static uint64_t writer_incarnation(const struct channel_base *base)
{
	struct crossvm_broadcast_info info;
	size_t bytes = 0;
	const void *memory = crossvm_connection_dataport(base->conn, &bytes);

	if (!memory || crossvm_broadcast_inspect(memory, bytes, &info) || info.closed)
		return 0;
	return info.incarnation;
}

static int wait_for_ring(void *ctx, uint64_t deadline)
{
	struct crossvm_channel_reader *reader = ctx;

	return channel_base_wait(&reader->base, deadline);
}

void crossvm_channel_reader_options_init(struct crossvm_channel_reader_options *options)
{
	*options =
		(struct crossvm_channel_reader_options){.spin_us = CROSSVM_CHANNEL_SPIN_US_DEFAULT};
}

static int reader_attach(struct crossvm_channel_reader *reader,
			 const struct crossvm_channel_reader_options *options)
{
	struct crossvm_port port = {.wait = wait_for_ring, .ctx = reader};
	struct crossvm_reader_config config = {
		.from_oldest = options->from_oldest,
		.spin_limit = channel_base_polls_in(options->spin_us),
	};
	int rc = channel_base_dataport(&reader->base, "broadcast", &port);

	if (!rc)
		rc = check_writers(&reader->base);
	if (rc)
		return rc;
	rc = crossvm_broadcast_reader_attach(&reader->broadcast, &port, &config);
	return crossvm_channel_reader_explain(reader, rc);
}

int crossvm_channel_reader_open(const char *name,
				const struct crossvm_channel_reader_options *options,
				struct crossvm_channel_reader **reader)
{
	struct crossvm_channel_reader_options defaults;
	struct crossvm_channel_reader *opened;
	int rc;

	crossvm_channel_reader_options_init(&defaults);
	if (!options)
		options = &defaults;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return crossvm_fail(-ENOMEM, "out of memory for the broadcast '%s'", name);
	opened->base.other_incarnation = writer_incarnation;
	rc = channel_base_open(&opened->base, name, CROSSVM_OPEN_READ, options->open);
	if (!rc)
		rc = reader_attach(opened, options);
	if (rc) {
		crossvm_connection_close(opened->base.conn);
		free(opened);
		return rc;
	}
	channel_base_start(&opened->base);
	*reader = opened;
	return 0;
}

void crossvm_channel_reader_close(struct crossvm_channel_reader *reader)
{
	if (!reader)
		return;
	crossvm_connection_close(reader->base.conn);
	free(reader);
}

struct crossvm_broadcast_reader *
crossvm_channel_reader_broadcast(struct crossvm_channel_reader *reader)
{
	return &reader->broadcast;
}

struct crossvm_connection *crossvm_channel_reader_connection(struct crossvm_channel_reader *reader)
{
	return reader->base.conn;
}

int crossvm_channel_reader_wake(struct crossvm_channel_reader *reader)
{
	return channel_base_wake(&reader->base);
}

int crossvm_channel_reader_explain(const struct crossvm_channel_reader *reader, int result)
{
	return channel_base_explain(&reader->base, result, reader->broadcast.complaint, 0);
}
