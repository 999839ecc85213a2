/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"
#include "systemfile/size.h"

#define MAX_SHORT_OPTIONS 64

/* getopt's short options, made of the long ones, so that they are written down once. */
static void short_options(const struct option *options, char text[MAX_SHORT_OPTIONS])
{
	size_t length = 0;

	text[length++] = ':'; /* tell a missing value from an unknown option */
	for (; options->name && length < MAX_SHORT_OPTIONS - 3; options++) {
		if (!isalnum(options->val))
			continue;
		text[length++] = (char)options->val;
		if (options->has_arg == required_argument)
			text[length++] = ':';
	}
	text[length] = '\0';
}

/* An option as it was typed; getopt() tells short ones only by their letter. */
static int wrong_option(const struct cli_command *command, char **argv, const char *problem)
{
	if (isalnum(optopt) && strncmp(argv[optind - 1], "--", 2) != 0)
		return cli_usage(command, "option -%c %s", optopt, problem);
	return cli_usage(command, "option %s %s", argv[optind - 1], problem);
}

int cli_next_option(struct cli_arguments *arguments, int argc, char **argv)
{
	char text[MAX_SHORT_OPTIONS];

	short_options(arguments->command->options, text);
	opterr = 0;
	for (;;) {
		int option = getopt_long(argc, argv, text, arguments->command->options, NULL);

		arguments->exit_code = CLI_OK;
		switch (option) {
		case 'C':
			arguments->open.component = optarg;
			break;
		case 'S':
			arguments->open.socket = optarg;
			break;
		case 'j':
			arguments->json = true;
			break;
		case 'h':
			cli_help_print(arguments->command, stdout);
			return CLI_EXIT;
		case ':':
			arguments->exit_code =
				wrong_option(arguments->command, argv, "needs a value");
			return CLI_EXIT;
		case '?':
			arguments->exit_code = wrong_option(arguments->command, argv,
							    "is unknown, or takes no value");
			return CLI_EXIT;
		default:
			return option;
		}
	}
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	cli_error("%s: %s; see 'crossvm help %s'", command->name, what, command->name);
	return CLI_USAGE;
}

const char *cli_operand(const struct cli_command *command, int argc, char **argv, const char *what)
{
	if (optind >= argc) {
		cli_usage(command, "%s is missing", what);
		return NULL;
	}
	if (optind + 1 < argc) {
		cli_usage(command, "'%s' is too much", argv[optind + 1]);
		return NULL;
	}
	return argv[optind];
}

int cli_no_operands(const struct cli_command *command, int argc, char **argv)
{
	if (optind < argc)
		return cli_usage(command, "'%s' is too much", argv[optind]);
	return CLI_OK;
}

int cli_count(const struct cli_command *command, const char *option, const char *text,
	      uint64_t *count)
{
	char *end = NULL;

	errno = 0;
	/* A digit first: strtoull() would also take blanks and a sign. */
	if (isdigit((unsigned char)*text))
		*count = strtoull(text, &end, 10);
	if (!end || *end)
		return cli_usage(command, "%s: '%s' is not a whole number", option, text);
	if (errno)
		return cli_usage(command, "%s: '%s' is too large", option, text);
	return CLI_OK;
}

int cli_size(const struct cli_command *command, const char *option, const char *text,
	     uint64_t *bytes)
{
	int error = crossvm_size_parse(text, bytes);

	if (error == -ERANGE)
		return cli_usage(command, "%s: '%s' is too large", option, text);
	if (error)
		return cli_usage(command,
				 "%s: '%s' is not a size; write it like 512, '64 KiB' or 1MiB",
				 option, text);
	return CLI_OK;
}

int cli_seconds(const struct cli_command *command, const char *option, const char *text,
		int *milliseconds)
{
	char *end;
	double seconds;

	/* A digit first: strtod() would also take signs, blanks, "inf" and "nan". */
	if (!isdigit((unsigned char)*text) || strpbrk(text, "xXpP"))
		return cli_usage(command, "%s: '%s' is not a time in seconds", option, text);
	seconds = strtod(text, &end);
	if (*end)
		return cli_usage(command, "%s: '%s' is not a time in seconds", option, text);
	if (seconds > INT_MAX / 1000)
		return cli_usage(command, "%s: '%s' is too large; at most %d", option, text,
				 INT_MAX / 1000);
	*milliseconds = (int)(seconds * 1000);
	if (*milliseconds < seconds * 1000)
		(*milliseconds)++;
	return CLI_OK;
}

int64_t cli_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cli_open(const struct cli_arguments *arguments, const char *name, unsigned int access,
	     struct crossvm_connection **conn)
{
	int error = crossvm_connection_open(name, access, &arguments->open, conn);

	return error ? cli_failed(error) : CLI_OK;
}
