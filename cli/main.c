/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/report.h"

const struct cli_command *cli_command_find(const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; cli_commands[i]; i++) {
		if (strcmp(cli_commands[i]->name, name) == 0)
			return cli_commands[i];
	}
	return NULL;
}

/* Output that did not get out is a failure, such as on a full disk. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	cli_error("cannot write the output: %s", strerror(errno));
	return code ? code : CLI_FAILURE;
}

/*
 * Where standard input or output is closed, the next file or socket would take its place and be read
 * or written instead. What stands there now fails as the closed one would.
 */
static int fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;

	if (fill_standard_descriptors() < 0)
		return CLI_FAILURE;

	if (argc < 2) {
		cli_help_overview(stderr);
		return CLI_USAGE;
	}
	command = cli_command_find(argv[1]);
	if (!command) {
		cli_error("there is no command '%s'; see 'crossvm help'", argv[1]);
		return CLI_USAGE;
	}
	return finish(command->run(command, argc - 1, argv + 1));
}
