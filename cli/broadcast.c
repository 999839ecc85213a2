/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/broadcast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/broadcast_connection.h>

#include "cli/report.h"

static int send_lines(struct crossvm_broadcast_writer *writer)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;
	int rc = 0;

	while (!rc && (size = getline(&line, &room, stdin)) >= 0) {
		if (size && line[size - 1] == '\n')
			size--;
		rc = crossvm_broadcast_send(writer, line, (size_t)size);
	}
	free(line);
	return rc || !ferror(stdin) ? rc : -EIO;
}

static int send_stream(struct crossvm_broadcast_writer *writer)
{
	static char piece[CLI_CHUNK_BYTES];
	size_t max = crossvm_broadcast_max_message(writer);
	ssize_t size;
	int rc = 0;

	if (max > sizeof(piece))
		max = sizeof(piece);
	while (!rc && (size = read(STDIN_FILENO, piece, max)) != 0) {
		if (size > 0)
			rc = crossvm_broadcast_send(writer, piece, (size_t)size);
		else if (errno != EINTR)
			return -EIO;
	}
	return rc;
}

int cli_broadcast_send(const struct cli_arguments *arguments, const char *name,
		       const struct cli_channel_request *request)
{
	const struct crossvm_channel_writer_options options = {
		.open = &arguments->open,
		.format = request->options.format,
	};
	struct crossvm_broadcast_writer *broadcast;
	struct crossvm_channel_writer *writer;
	int rc = crossvm_channel_writer_open(name, &options, &writer);
	int code = CLI_OK;

	if (rc)
		return cli_failed(rc);
	broadcast = crossvm_channel_writer_broadcast(writer);
	rc = request->stream ? send_stream(broadcast) : send_lines(broadcast);
	if (rc == -EIO) {
		cli_error("cannot read the input: %s", strerror(errno));
		code = CLI_FAILURE;
	} else if (rc) {
		code = cli_failed(crossvm_channel_writer_explain(writer, rc));
	}
	crossvm_channel_writer_close(writer);
	return code;
}

/* A message in a buffer that grows to fit. */
struct received {
	char *data;
	size_t room;
	size_t size;
	uint64_t lost;
};

static int receive(struct crossvm_broadcast_reader *reader, struct received *message,
		   uint64_t deadline)
{
	for (;;) {
		int rc = crossvm_broadcast_receive(reader, message->data, message->room,
						   &message->size, &message->lost, deadline);
		char *larger;

		if (rc != -EMSGSIZE)
			return rc;
		/* Not larger than the dataport: that has been checked. */
		larger = realloc(message->data, message->size);
		if (!larger)
			return -ENOMEM;
		message->data = larger;
		message->room = message->size;
	}
}

static int print(const struct received *message, bool stream)
{
	if (message->lost && stream) {
		cli_error("%" PRIu64 " messages of the stream were lost: the reader is too slow",
			  message->lost);
		return CLI_FAILURE;
	}
	if (message->lost)
		cli_error("%" PRIu64 " messages were lost", message->lost);
	if (fwrite(message->data, 1, message->size, stdout) != message->size ||
	    (!stream && putchar('\n') == EOF) || fflush(stdout)) {
		cli_error("cannot write the output: %s", strerror(errno));
		return CLI_FAILURE;
	}
	return CLI_OK;
}

static int receive_all(struct crossvm_channel_reader *reader,
		       const struct cli_channel_request *request)
{
	struct received message = {0};
	uint64_t left = request->count;
	int code = CLI_OK;

	while (left && !code) {
		int rc = receive(crossvm_channel_reader_broadcast(reader), &message,
				 crossvm_channel_deadline(request->timeout_ms));

		if (rc == -ENODATA && request->count == UINT64_MAX)
			break;
		if (rc == -EINTR || rc == -EAGAIN)
			continue;
		if (rc == -ECONNRESET && !request->stream) {
			cli_channel_note(crossvm_channel_reader_explain(reader, rc));
			continue;
		}
		if (rc) {
			code = cli_channel_code(crossvm_channel_reader_explain(reader, rc));
			break;
		}
		code = print(&message, request->stream);
		left--;
	}
	free(message.data);
	return code;
}

int cli_broadcast_receive(const struct cli_arguments *arguments, const char *name,
			  const struct cli_channel_request *request)
{
	struct crossvm_channel_reader_options options;
	struct crossvm_channel_reader *reader;
	int rc, code;

	crossvm_channel_reader_options_init(&options);
	options.open = &arguments->open;
	options.from_oldest = request->oldest;
	options.spin_us = request->options.spin_us;
	rc = crossvm_channel_reader_open(name, &options, &reader);
	if (rc)
		return cli_failed(rc);
	code = receive_all(reader, request);
	crossvm_channel_reader_close(reader);
	return code;
}
