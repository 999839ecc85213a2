/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/dataport.h"
#include "cli/report.h"

static const struct option options[] = {
	{"offset", required_argument, NULL, 'o'},
	{"length", required_argument, NULL, 'l'},
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_HELP,
};

static int write_out(const unsigned char *data, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(STDOUT_FILENO, data, bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			cli_error("read: cannot write the output: %s", strerror(errno));
			return CLI_FAILURE;
		}
		data += written;
		bytes -= (size_t)written;
	}
	return CLI_OK;
}

static int read_part(const struct cli_arguments *arguments, const char *name, uint64_t offset,
		     const uint64_t *length)
{
	struct cli_part part;
	int code = cli_part_open(arguments, name, CROSSVM_OPEN_READ, offset, &part);

	if (code)
		return code;
	if (length && *length > part.room) {
		cli_error("%s: --length %" PRIu64 " is %" PRIu64
			  " bytes too many; from offset %" PRIu64 " on the dataport has %zu",
			  name, *length, *length - part.room, offset, part.room);
		code = CLI_USAGE;
	} else {
		code = write_out(part.start, length ? (size_t)*length : part.room);
	}
	crossvm_connection_close(part.conn);
	return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	const uint64_t *limit = NULL;
	uint64_t offset = 0;
	uint64_t length;
	const char *name;
	int option;
	int code = CLI_OK;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (option == 'o') {
			code = cli_size(command, "--offset", optarg, &offset);
		} else {
			code = cli_size(command, "--length", optarg, &length);
			limit = &length;
		}
		if (code)
			return code;
	}
	name = cli_operand(command, argc, argv, "NAME");
	return name ? read_part(&arguments, name, offset, limit) : CLI_USAGE;
}

const struct cli_command cli_command_read = {
	.name = "read",
	.arguments = "NAME",
	.summary = "Copy a dataport to standard output",
	.help = "  -o, --offset SIZE      where to begin; default 0\n"
		"  -l, --length SIZE      how much; default up to the end\n" CLI_HELP_OPEN
			CLI_HELP_HELP "\nSIZE is in bytes, or with KiB, MiB or GiB: 4096, 4KiB.\n",
	.options = options,
	.run = run,
};
