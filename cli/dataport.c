/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/dataport.h"

#include <inttypes.h>

#include "cli/report.h"

int cli_part_open(const struct cli_arguments *arguments, const char *name, unsigned int access,
		  uint64_t offset, struct cli_part *part)
{
	size_t bytes;
	int code = cli_open(arguments, name, access, &part->conn);

	if (code)
		return code;
	part->start = crossvm_connection_dataport(part->conn, &bytes);
	if (!part->start) {
		cli_error("%s: has no dataport, only events; use emit and wait", name);
		code = CLI_FAILURE;
	} else if (offset > bytes) {
		cli_error("%s: offset %" PRIu64 " is behind the end of the dataport, which has %zu "
			  "bytes",
			  name, offset, bytes);
		code = CLI_USAGE;
	}
	if (code) {
		crossvm_connection_close(part->conn);
		return code;
	}
	part->start += offset;
	part->room = bytes - (size_t)offset;
	return CLI_OK;
}
