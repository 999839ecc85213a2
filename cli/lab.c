/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/command.h"
#include "lab/lab.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
	(void)command;
	return crossvm_lab_main(argc, argv);
}

const struct cli_command cli_command_lab = {
	.name = "lab",
	.arguments = "COMMAND [ARGUMENT]...",
	.summary = "Boot the VMs of a system file, and work with them",
	.help = "'crossvm lab --help' lists the commands, 'crossvm lab COMMAND --help' explains "
		"one.\n",
	.run = run,
};
