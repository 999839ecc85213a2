/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/channel.h"
#include "cli/report.h"

static const struct option options[] = {
	CLI_OPTIONS_CHANNEL,
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_HELP,
};

/* Start the program with pipes as its input and output. @return its pid or -errno. */
static pid_t start(char **argv, int *to, int *from)
{
	int input[2], output[2];
	pid_t pid;

	if (pipe(input))
		return -errno;
	if (pipe(output)) {
		int error = errno;

		close(input[0]);
		close(input[1]);
		return -error;
	}
	pid = fork();
	if (!pid) {
		dup2(input[0], STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		close(input[0]);
		close(input[1]);
		close(output[0]);
		close(output[1]);
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[0], argv);
		cli_error("cannot run '%s': %s", argv[0], strerror(errno));
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	*to = input[1];
	*from = output[0];
	return pid < 0 ? -errno : pid;
}

static int run_program(struct crossvm_channel *channel, char **argv)
{
	int to = -1, from = -1, status, code;
	pid_t pid = start(argv, &to, &from);

	if (pid < 0) {
		cli_error("cannot start '%s': %s", argv[0], strerror(-pid));
		return CLI_FAILURE;
	}
	/* Waiting for it to read must not keep us from reading what it writes. */
	fcntl(to, F_SETFL, O_NONBLOCK);
	code = cli_channel_carry(channel, from, to, -1);
	close(from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (code)
		return code;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct cli_channel_request request;
	struct crossvm_channel *channel;
	int option, code;

	cli_channel_request_init(&request);
	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (cli_channel_option(command, option, &request))
			return CLI_USAGE;
	}
	if (argc - optind < 2)
		return cli_usage(command, "a name and a program are needed");
	code = cli_channel_open(&arguments, argv[optind], &request, &channel);
	if (code)
		return code;
	/* A program that reads no more is the end of that direction, not of us. */
	signal(SIGPIPE, SIG_IGN);
	code = run_program(channel, argv + optind + 1);
	crossvm_channel_close(channel);
	return code;
}

const struct cli_command cli_command_pipe = {
	.name = "pipe",
	.arguments = "NAME -- PROGRAM [ARGUMENT...]",
	.summary = "Run a program whose input and output are the other side's",
	.help = "The exit code is the program's, unless the channel fails.\n" CLI_HELP_CHANNEL
		CLI_HELP_OPEN CLI_HELP_HELP,
	.options = options,
	.run = run,
};
