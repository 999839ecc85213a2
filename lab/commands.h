/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of "crossvm lab", a function each; argv[0] is the command's name. Each returns the
 * exit status.
 */
#ifndef CROSSVM_LAB_COMMANDS_H
#define CROSSVM_LAB_COMMANDS_H

int lab_command_up(int argc, char **argv);
int lab_command_exec(int argc, char **argv);
int lab_command_cp(int argc, char **argv);
int lab_command_console(int argc, char **argv);
int lab_command_qmp(int argc, char **argv);
int lab_command_start(int argc, char **argv);
int lab_command_stop(int argc, char **argv);
int lab_command_status(int argc, char **argv);
int lab_command_list(int argc, char **argv);
int lab_command_env(int argc, char **argv);
int lab_command_down(int argc, char **argv);

struct lab_options {
	const char *lab;  /* --lab NAME */
	const char *user; /* --user NAME; "root" */
	const char *name; /* --name NAME */
	int foreground;   /* --foreground */
	int no_stdin;     /* --no-stdin, -n */
	int json;         /* --json */
	int all;          /* --all */
};

/*
 * Read the options in front of the other arguments; @letters tells which the command has: 'l'ab,
 * 'u'ser, n'a'me, 'f'oreground, 'n'o-stdin, 'j'son, a'L'l.
 *
 * @return the index of the first other argument, or -1 after saying what is wrong (or after --help,
 *   with *status 0).
 */
int lab_read_options(int argc, char **argv, const char *letters, struct lab_options *options,
		     int *status);

/* Print the usage of a command; to standard error if something is wrong. @return 2. */
int lab_usage_error(const char *command);

#endif
