/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/words.h"
#include "systemfile/size.h"

static const struct option options[] = {
	{"names", no_argument, NULL, 'n'},
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_JSON,
};

static void print_names(const struct crossvm_list_entry *entries, int count)
{
	for (int i = 0; i < count; i++)
		puts(entries[i].name);
}

static void print_json(const struct crossvm_list_entry *entries, int count)
{
	struct json json = {.out = stdout};

	json_add_array(&json, NULL);
	for (int i = 0; i < count; i++) {
		json_add_object(&json, NULL);
		json_add_string(&json, "name", entries[i].name);
		if (entries[i].component[0])
			json_add_string(&json, "component", entries[i].component);
		json_add_string(&json, "backend", crossvm_backend_name(entries[i].backend));
		json_add_string(&json, "access", cli_access_word(entries[i].member_access));
		json_add_number(&json, "dataport_bytes", entries[i].dataport_bytes);
		json_end_object(&json);
	}
	json_end_array(&json);
}

static int widest_name(const struct crossvm_list_entry *entries, int count)
{
	size_t widest = strlen("NAME");

	for (int i = 0; i < count; i++) {
		size_t length = strlen(entries[i].name);

		widest = length > widest ? length : widest;
	}
	return (int)widest;
}

static void print_table(const struct crossvm_list_entry *entries, int count)
{
	int width = widest_name(entries, count);

	printf("%-*s  %-12s  %-10s  %-15s  %s\n", width, "NAME", "DATAPORT", "ACCESS", "BACKEND",
	       "AS");
	for (int i = 0; i < count; i++) {
		const struct crossvm_list_entry *entry = &entries[i];
		struct crossvm_size_text size = crossvm_size_format(entry->dataport_bytes);

		printf("%-*s  %-12s  %-10s  %-15s  %s\n", width, entry->name,
		       entry->dataport_bytes ? size.text : "events only",
		       entry->dataport_bytes ? cli_access_word(entry->member_access) : "-",
		       crossvm_backend_name(entry->backend),
		       entry->component[0] ? entry->component : "this VM");
	}
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct crossvm_list_entry *entries;
	bool names = false;
	int option;
	int count;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		names |= option == 'n';
	}
	if (cli_no_operands(command, argc, argv))
		return CLI_USAGE;
	count = crossvm_connection_list(&arguments.open, &entries);
	if (count < 0)
		return cli_failed(count);
	if (names)
		print_names(entries, count);
	else if (arguments.json)
		print_json(entries, count);
	else
		print_table(entries, count);
	free(entries);
	return CLI_OK;
}

const struct cli_command cli_command_list = {
	.name = "list",
	.arguments = "",
	.summary = "List the connections that can be opened here",
	.help = "  -n, --names            print names only, one a line\n" CLI_HELP_OPEN
		CLI_HELP_JSON,
	.options = options,
	.run = run,
};
