/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/abi_component.h>
#include <crossvm/host.h>

#include "cli/arguments.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/system_file.h"

static const struct option options[] = {
	{"system", required_argument, NULL, 'f'},
	{"socket-dir", required_argument, NULL, 'd'},
	CLI_OPTIONS_JSON,
};

/* As a shell takes it: in single quotes where it has to be. */
static void print_quoted(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_-./:=@%+";

	if (*text && text[strspn(text, plain)] == '\0') {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

static void print(char **args, bool as_json)
{
	struct json json = {.out = stdout};

	if (!as_json) {
		for (; *args; args++) {
			print_quoted(*args);
			fputs(args[1] ? " \\\n" : "\n", stdout);
		}
		return;
	}
	json_add_array(&json, NULL);
	for (; *args; args++)
		json_add_string(&json, NULL, *args);
	json_end_array(&json);
}

static int print_for_vm(const struct crossvm_system *system, const char *name,
			const char *socket_dir, bool as_json)
{
	struct crossvm_qemu_connection *connections;
	ssize_t vm = crossvm_system_find_vm(system, name);
	size_t count;
	char **args;
	int error;

	if (vm < 0) {
		cli_error("qemu-args: there is no VM '%s' in %s", name, system->path);
		return CLI_NOT_FOUND;
	}
	connections = crossvm_system_qemu_connections(system, (size_t)vm, &count);
	error = connections ? crossvm_qemu_args(socket_dir, name, connections, count, &args)
			    : -ENOMEM;
	free(connections);
	if (error) {
		/* The system is valid, so its connections have places and paths that fit. */
		cli_error("qemu-args: %s: %s", name, strerror(-error));
		return CLI_FAILURE;
	}
	print(args, as_json);
	free(args);
	return CLI_OK;
}

/* QEMU may be started from another folder. @return NULL after having said why. */
static char *absolute(const char *path)
{
	char *here = *path == '/' ? NULL : getcwd(NULL, 0);
	char *result = NULL;

	if (*path == '/')
		result = strdup(path);
	else if (here && asprintf(&result, "%s/%s", here, path) < 0)
		result = NULL;
	free(here);
	if (!result)
		cli_error("qemu-args: cannot find out where %s is: %s", path, strerror(errno));
	return result;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	const char *socket_dir = CROSSVM_COMPONENT_SOCKET_DIR;
	const char *path = NULL;
	struct crossvm_system *system;
	const char *name;
	char *directory;
	int option;
	int code;

	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (option == 'f')
			path = optarg;
		else
			socket_dir = optarg;
	}
	name = cli_operand(command, argc, argv, "VM");
	if (!name)
		return CLI_USAGE;
	if (!path)
		return cli_usage(command, "--system SYSTEM.yaml is missing");
	directory = absolute(socket_dir);
	if (!directory)
		return CLI_FAILURE;
	code = cli_system_read(path, directory, &system);
	if (code == CLI_OK) {
		code = print_for_vm(system, name, directory, arguments.json);
		crossvm_system_free(system);
	}
	free(directory);
	return code;
}

const struct cli_command cli_command_qemu_args = {
	.name = "qemu-args",
	.arguments = "VM",
	.summary = "Print what to add to QEMU's command line for a VM",
	.help = "  -f, --system FILE      the system file that crossvmd serves\n"
		"  -d, --socket-dir DIR   crossvmd's folder of sockets; "
		"default " CROSSVM_COMPONENT_SOCKET_DIR "\n" CLI_HELP_JSON "\n"
		"One argument a line, for a shell, which takes them all as one command line:\n"
		"  eval \"set -- $(crossvm qemu-args VM --system FILE)\"; qemu-system-x86_64 ... "
		"\"$@\"\n",
	.options = options,
	.run = run,
};
