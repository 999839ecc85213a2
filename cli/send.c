/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/broadcast.h"
#include "cli/channel.h"
#include "cli/report.h"

static const struct option options[] = {
	{"broadcast", no_argument, NULL, 'b'},
	{"stream", no_argument, NULL, 's'},
	{"timeout", required_argument, NULL, 't'},
	CLI_OPTIONS_CHANNEL,
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_HELP,
};

/* One line, one message; a restart of the receiver costs nothing. */
static int send_line(struct crossvm_channel *channel, const char *line, size_t size, int timeout_ms)
{
	int rc;

	do {
		rc = crossvm_queue_send(crossvm_channel_queue(channel), line, size,
					crossvm_channel_deadline(timeout_ms));
	} while (rc == -ECONNRESET || rc == -EINTR);
	return rc;
}

static int send_lines(struct crossvm_channel *channel, const struct cli_channel_request *request)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;
	int code = CLI_OK;

	while (!code && (size = getline(&line, &room, stdin)) >= 0) {
		int rc;

		if (size && line[size - 1] == '\n')
			size--;
		rc = send_line(channel, line, (size_t)size, request->timeout_ms);
		if (rc)
			code = cli_channel_failed(channel, rc);
	}
	if (!code && ferror(stdin)) {
		cli_error("cannot read the input: %s", strerror(errno));
		code = CLI_FAILURE;
	}
	free(line);
	return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct cli_channel_request request;
	struct crossvm_channel *channel;
	const char *name;
	int option, code, rc;

	cli_channel_request_init(&request);
	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (cli_channel_option(command, option, &request))
			return CLI_USAGE;
	}
	name = cli_operand(command, argc, argv, "NAME");
	if (!name)
		return CLI_USAGE;
	request.options.open = &arguments.open;
	rc = request.broadcast ? -EPROTOTYPE
			       : crossvm_channel_open(name, &request.options, &channel);
	if (rc == -EPROTOTYPE)
		return cli_broadcast_send(&arguments, name, &request);
	if (rc)
		return cli_failed(rc);
	code = request.stream ? cli_channel_carry(channel, STDIN_FILENO, -1, request.timeout_ms)
			      : send_lines(channel, &request);
	crossvm_channel_close(channel);
	return code;
}

const struct cli_command cli_command_send = {
	.name = "send",
	.arguments = "NAME",
	.summary = "Send messages to the other side: one for each line of the input",
	.help = "  -b, --broadcast        to all readers; known by itself where one member may "
		"write\n"
		"  -s, --stream           send the input as bytes, not as lines\n"
		"  -t, --timeout SECONDS  give up when one message waits so long, with exit code "
		"3\n" CLI_HELP_CHANNEL CLI_HELP_OPEN CLI_HELP_HELP,
	.options = options,
	.run = run,
};
