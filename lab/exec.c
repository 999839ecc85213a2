/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/commands.h"
#include "lab/stream.h"

#define MAX_ARGUMENTS 1024

static int output(void *context, enum lab_stream stream, const void *bytes, size_t length)
{
	(void)context;
	return lab_write_all(stream == LAB_STDERR ? STDERR_FILENO : STDOUT_FILENO, bytes, length);
}

static int run(struct lab_link *link, const struct lab_options *options, int argc, char **argv)
{
	const char *strings[MAX_ARGUMENTS + 3] = {"exec", argv[0], options->user};
	struct lab_streams streams = {.link = link,
				      .in = options->no_stdin ? -1 : STDIN_FILENO,
				      .output = output,
				      .forward_signals = true};
	size_t count = 3;
	int result;

	for (int i = 1; i < argc && count < MAX_ARGUMENTS; i++)
		strings[count++] = argv[i];
	if (lab_link_request(link, strings, count) < 0)
		return LAB_EXIT_FAILED;
	result = lab_streams_run(&streams);
	/* As if the command itself had written to the closed pipe. */
	return result == -EPIPE ? 128 + 13 : result < 0 ? LAB_EXIT_FAILED : result;
}

int lab_command_exec(int argc, char **argv)
{
	struct lab_options options;
	struct lab_link link;
	int status, first = lab_read_options(argc, argv, "lun", &options, &status);

	if (first < 0)
		return status ? LAB_EXIT_FAILED : 0;
	argc -= first;
	argv += first;
	if (argc >= 2 && strcmp(argv[1], "--") == 0) {
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	if (argc < 2 || argc > MAX_ARGUMENTS) {
		(void)lab_usage_error("exec");
		return LAB_EXIT_FAILED;
	}
	if (lab_link_open(&link, options.lab) < 0)
		return LAB_EXIT_FAILED;
	status = run(&link, &options, argc, argv);
	lab_link_close(&link);
	return status;
}
