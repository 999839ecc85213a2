/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What info shows of the channel in a connection's dataport: what its sides have counted. The numbers
 * are theirs; nothing depends on them here.
 */
#ifndef CROSSVM_CLI_INFO_CHANNEL_H
#define CROSSVM_CLI_INFO_CHANNEL_H

#include <crossvm/connection.h>

#include "cli/json.h"

/* Add a member "channel" where there is one in the dataport. */
void info_channel_json(struct json *json, const struct crossvm_connection *conn);
void info_channel_text(const struct crossvm_connection *conn);

#endif
