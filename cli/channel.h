/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the commands that pass messages have in common: their options, opening a channel, and
 * carrying bytes between descriptors and a channel.
 */
#ifndef CROSSVM_CLI_CHANNEL_H
#define CROSSVM_CLI_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/channel_connection.h>

#include "cli/arguments.h"

/* As much as a pipe holds, in one message. */
#define CLI_CHUNK_BYTES ((size_t)65536)

struct cli_channel_request {
	struct crossvm_channel_options options;
	int timeout_ms; /* -1: none */
	bool stream;
	bool broadcast; /* although the host does not tell that it is one */
	bool oldest;
	uint64_t count; /* UINT64_MAX: no limit */
};

#define CLI_OPTIONS_CHANNEL                                                        \
	{"end", required_argument, NULL, 'e'}, {"format", no_argument, NULL, 'f'}, \
	{                                                                          \
		"spin", required_argument, NULL, 'p'                               \
	}

#define CLI_HELP_CHANNEL                                                                          \
	"  -e, --end first|second  which end this is, where more than two members may write\n"    \
	"  -f, --format           discard what is in the dataport; the other side must be away\n" \
	"  -p, --spin MICROSECONDS  how long to poll before sleeping, at most; default 200\n"

void cli_channel_request_init(struct cli_channel_request *request);

/* Take one of the options of above. @return 0 or CLI_USAGE. */
int cli_channel_option(const struct cli_command *command, int option,
		       struct cli_channel_request *request);

/* Open, or report why not. @return an exit code. */
int cli_channel_open(const struct cli_arguments *arguments, const char *name,
		     struct cli_channel_request *request, struct crossvm_channel **channel);

/* Report a result of the queue. @return the exit code for it. */
int cli_channel_failed(const struct crossvm_channel *channel, int result);
/* Report a result that has been explained. @return the exit code for it. */
int cli_channel_code(int result);
/* The same for one that is no failure. */
void cli_channel_note(int result);

/*
 * Carry bytes from in to the other side and from the other side to out, until both have ended. The
 * end of in closes the sending half; the end of the other side closes out, which is why out is
 * taken over. in or out may be -1: nothing in that direction.
 *
 * @timeout_ms  give up when the other side has neither sent nor taken anything for so long although
 *              that was waited for; -1: never.
 * @return an exit code, after a report.
 */
int cli_channel_carry(struct crossvm_channel *channel, int in, int out, int timeout_ms);

#endif
