/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/arguments.h"
#include "cli/json.h"
#include "cli/report.h"

static const struct option options[] = {
	CLI_OPTIONS_JSON,
};

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};

	if (cli_next_option(&arguments, argc, argv) != CLI_END)
		return arguments.exit_code;
	if (cli_no_operands(command, argc, argv))
		return CLI_USAGE;
	if (arguments.json) {
		struct json json = {.out = stdout};

		json_add_object(&json, NULL);
		json_add_string(&json, "version", CROSSVM_VERSION);
		json_add_number(&json, "abi", CROSSVM_ABI_VERSION);
		json_end_object(&json);
	} else {
		printf("crossvm %s\n", CROSSVM_VERSION);
	}
	return CLI_OK;
}

const struct cli_command cli_command_version = {
	.name = "version",
	.arguments = "",
	.summary = "Print the version",
	.help = CLI_HELP_JSON,
	.options = options,
	.run = run,
};
