/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/info_channel.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/words.h"
#include "systemfile/size.h"

static const struct option options[] = {
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_JSON,
};

static const char *access_of(const struct crossvm_connection_info *info, uint32_t id)
{
	return info->writers >> id & 1 ? "read-write" : "read-only";
}

static void print_json(const struct crossvm_connection *conn,
		       const struct crossvm_connection_info *info)
{
	struct json json = {.out = stdout};

	json_add_object(&json, NULL);
	json_add_string(&json, "name", info->name);
	json_add_string(&json, "backend", crossvm_backend_name(info->backend));
	json_add_string(&json, "interrupt", info->interrupt);
	json_add_bool(&json, "doorbell", info->features & CROSSVM_FEATURE_DOORBELL);
	json_add_number(&json, "revision", info->revision);
	json_add_number(&json, "connection_id", info->connection_id);
	json_add_number(&json, "dataport_bytes", info->dataport_bytes);
	json_add_string(&json, "access", cli_access_word(info->member_access));
	json_add_number(&json, "total_events", crossvm_connection_total(conn));
	json_add_number(&json, "member_id", info->member_id);
	json_add_array(&json, "members");
	for (uint32_t id = 0; id < info->member_count; id++) {
		struct crossvm_peer peer;

		crossvm_connection_peer(conn, id, &peer);
		json_add_object(&json, NULL);
		json_add_number(&json, "id", id);
		json_add_string(&json, "name", peer.name);
		json_add_bool(&json, "self", id == info->member_id);
		json_add_string(&json, "state", cli_state_word(peer.state));
		if (info->writers)
			json_add_string(&json, "access", access_of(info, id));
		json_add_number(&json, "incarnation", peer.incarnation);
		json_end_object(&json);
	}
	json_end_array(&json);
	info_channel_json(&json, conn);
	json_end_object(&json);
}

/* On seL4 members have none. */
static const char *name_of(const struct crossvm_peer *peer)
{
	return peer->name[0] ? peer->name : "-";
}

static void print_members(const struct crossvm_connection *conn,
			  const struct crossvm_connection_info *info)
{
	int width = (int)strlen("NAME");
	struct crossvm_peer peer;

	if (!info->member_count)
		return;
	for (uint32_t id = 0; id < info->member_count; id++) {
		crossvm_connection_peer(conn, id, &peer);
		if ((int)strlen(peer.name) > width)
			width = (int)strlen(peer.name);
	}
	printf("\n%2s  %-*s  %-7s  %s\n", "ID", width, "NAME", "STATE", "OPENED");
	for (uint32_t id = 0; id < info->member_count; id++) {
		crossvm_connection_peer(conn, id, &peer);
		printf("%2u  %-*s  %-7s  %" PRIu32 "%s\n", id, width, name_of(&peer),
		       cli_state_word(peer.state), peer.incarnation,
		       id == info->member_id ? " (this one)" : "");
	}
}

static void print_text(const struct crossvm_connection *conn,
		       const struct crossvm_connection_info *info)
{
	struct crossvm_size_text size = crossvm_size_format(info->dataport_bytes);

	printf("name       %s\n", info->name);
	printf("backend    %s, revision %u\n", crossvm_backend_name(info->backend), info->revision);
	printf("interrupt  %s\n", info->interrupt);
	if (info->features & CROSSVM_FEATURE_DOORBELL)
		printf("doorbell   yes, events go to the other VM directly\n");
	if (info->dataport_bytes)
		printf("dataport   %s, %s\n", size.text, cli_access_word(info->member_access));
	else
		printf("dataport   none, events only\n");
	printf("events     %" PRIu64 " in total\n", crossvm_connection_total(conn));
	print_members(conn, info);
	info_channel_text(conn);
}

/* The dataport is of interest for the channel in it, where this member may read it. */
static int open_to_look(const struct cli_arguments *arguments, const char *name,
			struct crossvm_connection **conn)
{
	int error = crossvm_connection_open(name, CROSSVM_OPEN_READ, &arguments->open, conn);

	if (error == -EACCES)
		error = crossvm_connection_open(name, 0, &arguments->open, conn);
	return error ? (int)cli_failed(error) : CLI_OK;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct crossvm_connection_info info;
	struct crossvm_connection *conn;
	const char *name;
	int code;

	if (cli_next_option(&arguments, argc, argv) != CLI_END)
		return arguments.exit_code;
	name = cli_operand(command, argc, argv, "NAME");
	if (!name)
		return CLI_USAGE;
	code = open_to_look(&arguments, name, &conn);
	if (code)
		return code;
	crossvm_connection_info(conn, &info);
	if (arguments.json)
		print_json(conn, &info);
	else
		print_text(conn, &info);
	crossvm_connection_close(conn);
	return CLI_OK;
}

const struct cli_command cli_command_info = {
	.name = "info",
	.arguments = "NAME",
	.summary = "Show a connection: backend, interrupt, size, access, events, members, channel",
	.help = CLI_HELP_OPEN CLI_HELP_JSON,
	.options = options,
	.run = run,
};
