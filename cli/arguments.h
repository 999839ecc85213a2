/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options and operands: what all subcommands have in common.
 */
#ifndef CROSSVM_CLI_ARGUMENTS_H
#define CROSSVM_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/connection.h>

#include "cli/command.h"

/* For the end of a table of options. */
#define CLI_OPTIONS_HELP                  \
	{"help", no_argument, NULL, 'h'}, \
	{                                 \
		0                         \
	}
#define CLI_OPTIONS_JSON {"json", no_argument, NULL, 'j'}, CLI_OPTIONS_HELP
#define CLI_OPTIONS_OPEN                               \
	{"component", required_argument, NULL, 'C'},   \
	{                                              \
		"socket", required_argument, NULL, 'S' \
	}

/* And for the end of a help text. */
#define CLI_HELP_HELP "  -h, --help             show this\n"
#define CLI_HELP_JSON "  -j, --json             print JSON, for programs\n" CLI_HELP_HELP
#define CLI_HELP_OPEN                                                                    \
	"  -C, --component NAME   on the host: be this component ($CROSSVM_COMPONENT)\n" \
	"  -S, --socket PATH      on the host: crossvmd's component socket ($CROSSVM_SOCKET)\n"

struct cli_arguments {
	const struct cli_command *command;
	struct crossvm_open_options open;
	bool json;
	int exit_code; /* when cli_next_option() returned CLI_EXIT */
};

#define CLI_END  (-1)
#define CLI_EXIT 0

/*
 * The command's next option of its own, its value in optarg. Common options are taken into
 * arguments. CLI_END when there are no more; CLI_EXIT after --help or a mistake.
 */
int cli_next_option(struct cli_arguments *arguments, int argc, char **argv);

/* Report a mistake in the command line. @return CLI_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_usage(const struct cli_command *command,
						    const char *format, ...);

/* The only operand that is left, or NULL after having reported a mistake. what: "NAME". */
const char *cli_operand(const struct cli_command *command, int argc, char **argv, const char *what);
/* Report operands where there should be none. @return 0 or CLI_USAGE. */
int cli_no_operands(const struct cli_command *command, int argc, char **argv);

/* Values. On a mistake they report it, naming the option, and return CLI_USAGE, else 0. */
int cli_count(const struct cli_command *command, const char *option, const char *text,
	      uint64_t *count);
int cli_size(const struct cli_command *command, const char *option, const char *text,
	     uint64_t *bytes);
int cli_seconds(const struct cli_command *command, const char *option, const char *text,
		int *milliseconds);

/* The clock for such a time: milliseconds since some moment of the past. */
int64_t cli_now_ms(void);

/* Open, or report why not. @return an exit code. */
int cli_open(const struct cli_arguments *arguments, const char *name, unsigned int access,
	     struct crossvm_connection **conn);

#endif
