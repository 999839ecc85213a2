/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exit codes of the command. They are documented in crossvm(1), and scripts rely on them.
 */
#ifndef CROSSVM_CLI_EXIT_CODE_H
#define CROSSVM_CLI_EXIT_CODE_H

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILURE = 1,
	CLI_USAGE = 2, /* or a bad input file, or a connection of another kind */
	CLI_TIMEOUT = 3,
	CLI_NOT_FOUND = 4, /* no such connection, or nothing to look for it with */
	CLI_DENIED = 5,    /* this user or this member may not */
	CLI_GONE = 6,      /* the host side or the device has gone */
};

/* The exit code for -errno of a library call. */
enum cli_exit cli_exit_code(int error);

#endif
