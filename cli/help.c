/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "cli/arguments.h"
#include "cli/report.h"

static const struct option options[] = {
	{"names", no_argument, NULL, 'n'},
	{"options", no_argument, NULL, 'o'},
	CLI_OPTIONS_HELP,
};

void cli_help_print(const struct cli_command *command, FILE *out)
{
	fprintf(out, "Usage: crossvm %s%s%s%s\n\n%s.\n", command->name,
		command->options ? " [OPTION]..." : "", *command->arguments ? " " : "",
		command->arguments, command->summary);
	if (*command->help)
		fprintf(out, "\n%s", command->help);
}

void cli_help_overview(FILE *out)
{
	fputs("Usage: crossvm COMMAND [ARGUMENT]...\n\n"
	      "Use the connections between virtual machines and processes.\n\n",
	      out);
	for (size_t i = 0; cli_commands[i]; i++)
		fprintf(out, "  %-10s  %s\n", cli_commands[i]->name, cli_commands[i]->summary);
	fputs("\n'crossvm help COMMAND' shows more about a command, 'man crossvm' all of it.\n",
	      out);
}

/* For completion in shells. */
static void print_names(void)
{
	for (size_t i = 0; cli_commands[i]; i++)
		puts(cli_commands[i]->name);
}

static void print_options(const struct cli_command *command)
{
	for (const struct option *option = command->options; option && option->name; option++)
		printf("--%s\n", option->name);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	const struct cli_command *about;
	bool only_options = false;
	const char *name;
	int option;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (option == 'n') {
			print_names();
			return CLI_OK;
		}
		only_options = true;
	}
	if (optind == argc && !only_options) {
		cli_help_overview(stdout);
		return CLI_OK;
	}
	name = cli_operand(command, argc, argv, "COMMAND");
	if (!name)
		return CLI_USAGE;
	about = cli_command_find(name);
	if (!about)
		return cli_usage(command, "there is no command '%s'", name);
	if (only_options)
		print_options(about);
	else
		cli_help_print(about, stdout);
	return CLI_OK;
}

const struct cli_command cli_command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "Show what commands there are, or more about one",
	.help = "      --names            print the names of all commands, one a line\n"
		"      --options          print COMMAND's options, one a line\n" CLI_HELP_HELP,
	.options = options,
	.run = run,
};
