/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/: the crossvm command. It may include lib, lab, systemfile, vmm/linux and the public headers.
 *
 * A subcommand is a struct; the tables in commands_guest.c and commands_host.c say which there are
 * in the command for guests, which needs nothing but libc, and in the one for hosts.
 */
#ifndef CROSSVM_CLI_COMMAND_H
#define CROSSVM_CLI_COMMAND_H

#include <getopt.h>
#include <stdio.h>

struct cli_command {
	const char *name;
	const char *arguments;        /* behind the name, for the usage line; "" for none */
	const char *summary;          /* one line without an end */
	const char *help;             /* options and the rest, whole lines; "" for none */
	const struct option *options; /* as for getopt_long(); NULL: run parses by itself */
	/* argv[0] is the subcommand's name. @return an exit code. */
	int (*run)(const struct cli_command *command, int argc, char **argv);
};

/* All subcommands, in the order in which help lists them; ends with NULL. */
extern const struct cli_command *const cli_commands[];

extern const struct cli_command cli_command_list;
extern const struct cli_command cli_command_info;
extern const struct cli_command cli_command_read;
extern const struct cli_command cli_command_write;
extern const struct cli_command cli_command_emit;
extern const struct cli_command cli_command_wait;
extern const struct cli_command cli_command_send;
extern const struct cli_command cli_command_recv;
extern const struct cli_command cli_command_pipe;
extern const struct cli_command cli_command_forward;
extern const struct cli_command cli_command_bench;
extern const struct cli_command cli_command_check;
extern const struct cli_command cli_command_qemu_args;
extern const struct cli_command cli_command_lab;
extern const struct cli_command cli_command_version;
extern const struct cli_command cli_command_help;

/* NULL when there is none of that name. */
const struct cli_command *cli_command_find(const char *name);

void cli_help_print(const struct cli_command *command, FILE *out);
void cli_help_overview(FILE *out);

#endif
