/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/arguments.h"
#include "cli/json.h"
#include "cli/report.h"

static const struct option options[] = {
	{"count", required_argument, NULL, 'n'},
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_JSON,
};

static int emit(const struct cli_arguments *arguments, const char *name, uint64_t count)
{
	struct crossvm_connection *conn;
	int code = cli_open(arguments, name, CROSSVM_OPEN_EMIT, &conn);

	if (code)
		return code;
	for (uint64_t i = 0; i < count && !code; i++) {
		int error = crossvm_connection_emit(conn);

		if (error)
			code = cli_failed(error);
	}
	if (!code && arguments->json) {
		struct json json = {.out = stdout};

		json_add_object(&json, NULL);
		json_add_string(&json, "name", name);
		json_add_number(&json, "count", count);
		json_end_object(&json);
	}
	crossvm_connection_close(conn);
	return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	uint64_t count = 1;
	const char *name;
	int option;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (cli_count(command, "--count", optarg, &count))
			return CLI_USAGE;
	}
	name = cli_operand(command, argc, argv, "NAME");
	return name ? emit(&arguments, name, count) : CLI_USAGE;
}

const struct cli_command cli_command_emit = {
	.name = "emit",
	.arguments = "NAME",
	.summary = "Emit events to all other members",
	.help = "  -n, --count N          how many; default 1\n" CLI_HELP_OPEN CLI_HELP_JSON,
	.options = options,
	.run = run,
};
