/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send and recv on a connection that carries a broadcast: lines or bytes from its writer to all of its
 * readers.
 */
#ifndef CROSSVM_CLI_BROADCAST_H
#define CROSSVM_CLI_BROADCAST_H

#include "cli/channel.h"

/* Publish standard input, a message a line or, with stream, in pieces. @return an exit code. */
int cli_broadcast_send(const struct cli_arguments *arguments, const char *name,
		       const struct cli_channel_request *request);

/*
 * Print what is published until it ends. Lines that are lost are told on standard error; a stream in
 * which something is lost is a failure. @return an exit code.
 */
int cli_broadcast_receive(const struct cli_arguments *arguments, const char *name,
			  const struct cli_channel_request *request);

#endif
