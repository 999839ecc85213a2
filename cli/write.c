/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/dataport.h"
#include "cli/json.h"
#include "cli/report.h"

/* How far input that does not fit is read on, to say by how much it does not. */
#define MAX_EXCESS (16u << 20)

static const struct option options[] = {
	{"offset", required_argument, NULL, 'o'},
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_JSON,
};

/* As read(2), but retried after signals, and reporting errors. */
static ssize_t read_in(void *buffer, size_t bytes)
{
	ssize_t length;

	do {
		length = read(STDIN_FILENO, buffer, bytes);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		cli_error("write: cannot read the input: %s", strerror(errno));
	return length;
}

static int does_not_fit(const char *name, uint64_t excess, bool more, size_t room)
{
	cli_error("%s: the input is %s%" PRIu64
		  " bytes too long for the %zu bytes there; shorten it, or "
		  "give the connection a larger dataport in the system file",
		  name, more ? "more than " : "", excess, room);
	return CLI_FAILURE;
}

/* A file whose size shows that it does not fit is refused before anything is written. */
static int check_file(const char *name, size_t room)
{
	struct stat status;
	off_t at;

	if (fstat(STDIN_FILENO, &status) < 0 || !S_ISREG(status.st_mode))
		return CLI_OK;
	at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	if (at < 0 || status.st_size - at <= 0 || (uint64_t)(status.st_size - at) <= room)
		return CLI_OK;
	return does_not_fit(name, (uint64_t)(status.st_size - at) - room, false, room);
}

/* The dataport is full: is that all? */
static int check_end(const char *name, size_t room)
{
	uint64_t excess = 0;
	char scratch[65536];

	while (excess < MAX_EXCESS) {
		ssize_t length = read_in(scratch, sizeof(scratch));

		if (length < 0)
			return CLI_FAILURE;
		if (length == 0)
			break;
		excess += (uint64_t)length;
	}
	return excess ? does_not_fit(name, excess, excess >= MAX_EXCESS, room) : CLI_OK;
}

static int copy_in(const char *name, const struct cli_part *part, size_t *done)
{
	int code = check_file(name, part->room);

	*done = 0;
	while (!code && *done < part->room) {
		ssize_t length = read_in(part->start + *done, part->room - *done);

		if (length < 0)
			return CLI_FAILURE;
		if (length == 0)
			return CLI_OK;
		*done += (size_t)length;
	}
	return code ? code : check_end(name, part->room);
}

static int write_part(const struct cli_arguments *arguments, const char *name, uint64_t offset)
{
	struct cli_part part;
	size_t done;
	int code = cli_part_open(arguments, name, CROSSVM_OPEN_WRITE, offset, &part);

	if (code)
		return code;
	code = copy_in(name, &part, &done);
	if (!code && arguments->json) {
		struct json json = {.out = stdout};

		json_add_object(&json, NULL);
		json_add_string(&json, "name", name);
		json_add_number(&json, "offset", offset);
		json_add_number(&json, "bytes", done);
		json_end_object(&json);
	}
	crossvm_connection_close(part.conn);
	return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	uint64_t offset = 0;
	const char *name;
	int option;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (cli_size(command, "--offset", optarg, &offset))
			return CLI_USAGE;
	}
	name = cli_operand(command, argc, argv, "NAME");
	return name ? write_part(&arguments, name, offset) : CLI_USAGE;
}

const struct cli_command cli_command_write = {
	.name = "write",
	.arguments = "NAME",
	.summary = "Copy standard input to a dataport",
	.help = "  -o, --offset SIZE      where to begin; default 0\n" CLI_HELP_OPEN CLI_HELP_JSON
		"\n"
		"SIZE is in bytes, or with KiB, MiB or GiB: 4096, 4KiB. A file that does not fit "
		"is\n"
		"refused before anything is written; from a pipe, what fits is written.\n",
	.options = options,
	.run = run,
};
