/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <crossvm/connection.h>

void cli_error(const char *format, ...)
{
	va_list args;

	/* So that on a terminal output and errors appear in order. */
	fflush(stdout);
	fputs("crossvm: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

enum cli_exit cli_exit_code(int error)
{
	switch (-error) {
	case 0:
		return CLI_OK;
	case EINVAL:
	case EPROTOTYPE:
		return CLI_USAGE;
	case ETIMEDOUT:
		return CLI_TIMEOUT;
	case ENOENT:
	case ENODEV:
	case ECONNREFUSED:
		return CLI_NOT_FOUND;
	case EACCES:
	case EPERM:
		return CLI_DENIED;
	case EPIPE:
		return CLI_GONE;
	default:
		return CLI_FAILURE;
	}
}

enum cli_exit cli_failed(int error)
{
	cli_error("%s", crossvm_last_error());
	return cli_exit_code(error);
}
