/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to a person, on standard error: "crossvm: what failed; what to do".
 */
#ifndef CROSSVM_CLI_REPORT_H
#define CROSSVM_CLI_REPORT_H

#include "cli/exit_code.h"

__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

/* Print the library's last error. @return the exit code for error. */
enum cli_exit cli_failed(int error);

#endif
