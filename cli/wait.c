/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>

#include "cli/arguments.h"
#include "cli/json.h"
#include "cli/report.h"

static const struct option options[] = {
	{"count", required_argument, NULL, 'n'},
	{"since", required_argument, NULL, 's'},
	{"timeout", required_argument, NULL, 't'},
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_JSON,
};

struct request {
	uint64_t count;
	uint64_t since;
	bool has_since;
	int timeout_ms; /* -1: none */
};

/* @return 0 once the total has reached goal, or -errno. */
static int wait_for_total(struct crossvm_connection *conn, uint64_t goal, int timeout_ms)
{
	int64_t end = cli_now_ms() + timeout_ms;

	while (crossvm_connection_total(conn) < goal) {
		int64_t left = timeout_ms < 0 ? -1 : end - cli_now_ms();
		int error = crossvm_connection_wait(conn, left < -1 ? 0 : (int)left, NULL);

		/* A stop and a continue interrupt system calls, too. */
		if (error && error != -EINTR)
			return error;
	}
	return 0;
}

static void print(const struct cli_arguments *arguments, const char *name, uint64_t count,
		  uint64_t total, bool timed_out)
{
	struct json json = {.out = stdout};

	if (!arguments->json) {
		printf("%" PRIu64 "\n", count);
		return;
	}
	json_add_object(&json, NULL);
	json_add_string(&json, "name", name);
	json_add_number(&json, "count", count);
	json_add_number(&json, "total", total);
	json_add_bool(&json, "timed_out", timed_out);
	json_end_object(&json);
}

static int wait_and_print(const struct cli_arguments *arguments, const char *name,
			  const struct request *request)
{
	struct crossvm_connection *conn;
	uint64_t since;
	uint64_t goal;
	uint64_t total;
	int error;
	int code = cli_open(arguments, name, 0, &conn);

	if (code)
		return code;
	since = request->has_since ? request->since : crossvm_connection_total(conn);
	if (__builtin_add_overflow(since, request->count, &goal))
		goal = UINT64_MAX;
	error = wait_for_total(conn, goal, request->timeout_ms);
	total = crossvm_connection_total(conn);
	print(arguments, name, total > since ? total - since : 0, total, error == -ETIMEDOUT);
	if (error == -ETIMEDOUT) {
		cli_error("%s: %" PRIu64 " of %" PRIu64 " events came within the time given", name,
			  total > since ? total - since : 0, request->count);
		code = CLI_TIMEOUT;
	} else if (error) {
		code = cli_failed(error);
		/* It was there when it was opened. */
		code = error == -ENODEV ? CLI_GONE : code;
	}
	crossvm_connection_close(conn);
	return code;
}

static int take_option(const struct cli_command *command, int option, struct request *request)
{
	switch (option) {
	case 'n':
		return cli_count(command, "--count", optarg, &request->count);
	case 's':
		request->has_since = true;
		return cli_count(command, "--since", optarg, &request->since);
	default:
		return cli_seconds(command, "--timeout", optarg, &request->timeout_ms);
	}
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct request request = {.count = 1, .timeout_ms = -1};
	const char *name;
	int option;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (take_option(command, option, &request))
			return CLI_USAGE;
	}
	name = cli_operand(command, argc, argv, "NAME");
	return name ? wait_and_print(&arguments, name, &request) : CLI_USAGE;
}

const struct cli_command cli_command_wait = {
	.name = "wait",
	.arguments = "NAME",
	.summary = "Wait for events and print how many came",
	.help = "  -n, --count N          wait until N have come; default 1\n"
		"  -s, --since TOTAL      count from this total on, as info or wait --json printed "
		"it;\n"
		"                         default: from now on\n"
		"  -t, --timeout SECONDS  give up after that time with exit code 3; default: "
		"never\n" CLI_HELP_OPEN CLI_HELP_JSON,
	.options = options,
	.run = run,
};
