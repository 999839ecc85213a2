/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/system_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

int cli_system_read(const char *path, const char *socket_dir, struct crossvm_system **system)
{
	char *message = NULL;
	int error = crossvm_system_read(path, socket_dir, system, &message);

	if (!error)
		return CLI_OK;
	/* Whole lines that begin with the file and the line, as editors understand them. */
	if (message)
		fprintf(stderr, "%s\n", message);
	else
		cli_error("cannot read %s: %s", path, strerror(-error));
	free(message);
	return cli_exit_code(error);
}
