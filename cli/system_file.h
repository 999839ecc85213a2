/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a system file for a subcommand.
 */
#ifndef CROSSVM_CLI_SYSTEM_FILE_H
#define CROSSVM_CLI_SYSTEM_FILE_H

#include "systemfile/system.h"

/*
 * Read path or report all mistakes in it.
 *
 * @socket_dir: of crossvmd, as for crossvm_system_read().
 * @return an exit code.
 */
int cli_system_read(const char *path, const char *socket_dir, struct crossvm_system **system);

#endif
