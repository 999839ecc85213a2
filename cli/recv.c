/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/broadcast.h"
#include "cli/channel.h"
#include "cli/report.h"

static const struct option options[] = {
	{"broadcast", no_argument, NULL, 'b'},
	{"count", required_argument, NULL, 'n'},
	{"oldest", no_argument, NULL, 'o'},
	{"stream", no_argument, NULL, 's'},
	{"timeout", required_argument, NULL, 't'},
	CLI_OPTIONS_CHANNEL,
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_HELP,
};

/* A message is released, and so taken from the sender, when it has been written out. */
static int receive_lines(struct crossvm_channel *channel, const struct cli_channel_request *request)
{
	struct crossvm_queue *queue = crossvm_channel_queue(channel);
	uint64_t left = request->count;

	while (left) {
		struct crossvm_message message;
		int rc = crossvm_queue_peek(queue, &message,
					    crossvm_channel_deadline(request->timeout_ms));

		if (rc == -ENODATA && request->count == UINT64_MAX)
			return CLI_OK;
		if (rc == -EINTR)
			continue;
		if (rc == -ECONNRESET) {
			cli_channel_note(crossvm_channel_explain(channel, rc));
			continue;
		}
		if (rc)
			return cli_channel_failed(channel, rc);
		if (fwrite(message.data, 1, message.size, stdout) != message.size ||
		    putchar('\n') == EOF || fflush(stdout)) {
			cli_error("cannot write the output: %s", strerror(errno));
			return CLI_FAILURE;
		}
		crossvm_queue_release(queue);
		left--;
	}
	return CLI_OK;
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
	if (request.stream && request.count != UINT64_MAX)
		return cli_usage(command, "--count counts messages, which a stream does not have");
	request.options.open = &arguments.open;
	rc = request.broadcast ? -EPROTOTYPE
			       : crossvm_channel_open(name, &request.options, &channel);
	/* A member that may not write cannot be an end of a queue, but a reader. */
	if (rc == -EPROTOTYPE || rc == -EACCES)
		return cli_broadcast_receive(&arguments, name, &request);
	if (rc)
		return cli_failed(rc);
	code = request.stream
		       ? cli_channel_carry(channel, -1, dup(STDOUT_FILENO), request.timeout_ms)
		       : receive_lines(channel, &request);
	crossvm_channel_close(channel);
	return code;
}

const struct cli_command cli_command_recv = {
	.name = "recv",
	.arguments = "NAME",
	.summary = "Receive messages from the other side, a line for each, until it ends",
	.help = "  -b, --broadcast        from a writer with many readers; known by itself where "
		"one\n"
		"                         member may write\n"
		"  -n, --count N          end after so many messages\n"
		"  -o, --oldest           of a broadcast: begin with the oldest message still "
		"there\n"
		"  -s, --stream           write the bytes as they come, not as lines\n"
		"  -t, --timeout SECONDS  give up when nothing comes for so long, with exit "
		"code 3\n" CLI_HELP_CHANNEL CLI_HELP_OPEN CLI_HELP_HELP,
	.options = options,
	.run = run,
};
