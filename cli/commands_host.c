/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/command.h"

const struct cli_command *const cli_commands[] = {
	&cli_command_list,
	&cli_command_info,
	&cli_command_read,
	&cli_command_write,
	&cli_command_emit,
	&cli_command_wait,
	&cli_command_send,
	&cli_command_recv,
	&cli_command_pipe,
	&cli_command_forward,
	&cli_command_bench,
	&cli_command_check,
	&cli_command_qemu_args,
	&cli_command_lab,
	&cli_command_version,
	&cli_command_help,
	NULL,
};
