/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/abi_component.h>

#include "cli/arguments.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/system_file.h"

static const struct option options[] = {
	{"socket-dir", required_argument, NULL, 'd'},
	CLI_OPTIONS_JSON,
};

static void print(const struct crossvm_system *system, bool as_json)
{
	struct json json = {.out = stdout};

	if (!as_json) {
		printf("%s is valid: %zu VMs, %zu components, %zu connections\n", system->path,
		       system->num_vms, system->num_components, system->num_connections);
		return;
	}
	json_add_object(&json, NULL);
	json_add_string(&json, "path", system->path);
	json_add_array(&json, "vms");
	for (size_t i = 0; i < system->num_vms; i++)
		json_add_string(&json, NULL, system->vms[i].name);
	json_end_array(&json);
	json_add_array(&json, "components");
	for (size_t i = 0; i < system->num_components; i++)
		json_add_string(&json, NULL, system->components[i].name);
	json_end_array(&json);
	json_add_array(&json, "connections");
	for (size_t i = 0; i < system->num_connections; i++)
		json_add_string(&json, NULL, system->connections[i].name);
	json_end_array(&json);
	json_end_object(&json);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct crossvm_system *system;
	const char *socket_dir = CROSSVM_COMPONENT_SOCKET_DIR;
	const char *path;
	int option;
	int code;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		socket_dir = optarg;
	}
	path = cli_operand(command, argc, argv, "SYSTEM.yaml");
	if (!path)
		return CLI_USAGE;
	code = cli_system_read(path, socket_dir, &system);
	if (code)
		return code;
	print(system, arguments.json);
	crossvm_system_free(system);
	return CLI_OK;
}

const struct cli_command cli_command_check = {
	.name = "check",
	.arguments = "SYSTEM.yaml",
	.summary = "Check a system file",
	.help = "  -d, --socket-dir DIR   crossvmd's folder of sockets, whose paths must not be "
		"too "
		"long;\n"
		"                         default " CROSSVM_COMPONENT_SOCKET_DIR "\n" CLI_HELP_JSON
		"\nEvery mistake is reported with its line and what would be right; the "
		"exit code is then 2.\n",
	.options = options,
	.run = run,
};
