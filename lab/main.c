/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/lab.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lab/commands.h"
#include "lab/report.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
	const char *summary;
	const char *help;
};

static const struct command commands[] = {
	{"up", lab_command_up, "[--name NAME] [--foreground] SYSTEM.yaml",
	 "boot the VMs of a system file",
	 "Start crossvmd and a VM for each one of the system file, and return when all are ready.\n"
	 "What is needed and missing (QEMU, a kernel) is unpacked first, without touching the\n"
	 "system. KVM is used where it works, else emulation; CROSSVM_ACCEL=kvm or tcg decides.\n"
	 "\n"
	 "  --name NAME    what to call the lab; else it is called after its system file\n"
	 "  --foreground   stay, and end the lab at Ctrl-C\n"},
	{"exec", lab_command_exec, "[--lab NAME] [--user USER] [-n] VM [--] COMMAND [ARGUMENT...]",
	 "run a command in a VM",
	 "Input, output and errors are those of the command, and so is the exit status: 128 +\n"
	 "signal if one ended it, 127 if there is no such command, 255 if it could not be run at\n"
	 "all. Ctrl-C interrupts the command.\n"
	 "\n"
	 "  --lab NAME       which lab, when several are running\n"
	 "  --user USER      as whom: root, or 'user', who has no rights but those of group "
	 "crossvm\n"
	 "  -n, --no-stdin   give the command no input\n"},
	{"cp", lab_command_cp, "[--lab NAME] [--user USER] SOURCE... DESTINATION",
	 "copy files into a VM or out of it",
	 "One side is VM:PATH. A file is replaced as a whole when all of it is there; its mode is\n"
	 "kept. DESTINATION may be a folder.\n"
	 "\n"
	 "  --lab NAME    which lab, when several are running\n"
	 "  --user USER   as whom in the VM (root)\n"},
	{"console", lab_command_console, "[--lab NAME] VM", "use a VM's serial console",
	 "Ctrl-] leaves. All that the console ever showed is in the log that 'crossvm lab status'\n"
	 "names.\n"},
	{"status", lab_command_status, "[--lab NAME] [--json]", "show a lab and its VMs",
	 "  --json   for programs\n"},
	{"list", lab_command_list, "", "list the labs that are running", ""},
	{"env", lab_command_env, "[--lab NAME]", "print what a component needs to find the lab",
	 "Prints an assignment for the shell: eval \"$(crossvm lab env)\"; then programs that use\n"
	 "libcrossvm on this machine, such as crossvm itself, open the lab's connections.\n"},
	{"stop", lab_command_stop, "[--lab NAME] VM", "end a VM, as by pulling its plug", ""},
	{"start", lab_command_start, "[--lab NAME] VM", "boot a VM that has ended", ""},
	{"qmp", lab_command_qmp, "[--lab NAME] VM JSON", "send a request to a VM's QEMU monitor",
	 "Such as '{\"execute\":\"system_reset\"}'. Prints the answer; exit status 1 if it is an "
	 "error.\n"},
	{"down", lab_command_down, "[--lab NAME | --all]", "end a lab",
	 "Returns when nothing of it is left.\n"},
};

#define NUM_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < NUM_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_help(FILE *out)
{
	fprintf(out, "Usage: crossvm lab COMMAND ...\n\n");
	for (size_t i = 0; i < NUM_COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\ncrossvm lab COMMAND --help tells more.\n");
}

static void print_command_help(const struct command *command)
{
	printf("Usage: crossvm lab %s%s%s\n\n", command->name, *command->usage ? " " : "",
	       command->usage);
	printf("%c%s.\n%s%s", command->summary[0] - 'a' + 'A', command->summary + 1,
	       command->help[0] ? "\n" : "", command->help);
}

int lab_usage_error(const char *command)
{
	fprintf(stderr, "Usage: crossvm lab %s %s\n", command, find(command)->usage);
	return 2;
}

static int take_option(struct lab_options *options, int option)
{
	switch (option) {
	case 'l':
		options->lab = optarg;
		return 0;
	case 'u':
		options->user = optarg;
		return 0;
	case 'a':
		options->name = optarg;
		return 0;
	case 'f':
		options->foreground = 1;
		return 0;
	case 'n':
		options->no_stdin = 1;
		return 0;
	case 'j':
		options->json = 1;
		return 0;
	case 'L':
		options->all = 1;
		return 0;
	default:
		return -1;
	}
}

int lab_read_options(int argc, char **argv, const char *letters, struct lab_options *options,
		     int *status)
{
	static const struct option known[] = {
		{"lab", required_argument, NULL, 'l'},
		{"user", required_argument, NULL, 'u'},
		{"name", required_argument, NULL, 'a'},
		{"foreground", no_argument, NULL, 'f'},
		{"no-stdin", no_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'},
		{"all", no_argument, NULL, 'L'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	*options = (struct lab_options){.user = "root"};
	*status = 2;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+nh", known, NULL)) != -1) {
		if (option == 'h') {
			print_command_help(find(argv[0]));
			*status = 0;
			return -1;
		}
		if (option == '?' || !strchr(letters, option) || take_option(options, option) < 0) {
			lab_error("%s does not know the option %s, or its value is missing",
				  argv[0], argv[optind > 1 ? optind - 1 : 1]);
			(void)lab_usage_error(argv[0]);
			return -1;
		}
	}
	return optind;
}

int crossvm_lab_main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return 0;
	}
	command = find(argv[1]);
	if (!command) {
		lab_error("there is no command '%s'", argv[1]);
		print_help(stderr);
		return 2;
	}
	return command->run(argc - 1, argv + 1);
}
