/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What read and write have in common: a part of a dataport, opened and checked.
 */
#ifndef CROSSVM_CLI_DATAPORT_H
#define CROSSVM_CLI_DATAPORT_H

#include "cli/arguments.h"

struct cli_part {
	struct crossvm_connection *conn; /* the caller's, to be closed */
	unsigned char *start;
	size_t room; /* bytes from start to the end of the dataport */
};

/* Open name and find offset in its dataport. @return an exit code, after having said why. */
int cli_part_open(const struct cli_arguments *arguments, const char *name, unsigned int access,
		  uint64_t offset, struct cli_part *part);

#endif
