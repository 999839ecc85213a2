/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands that ask the keeper one thing: status, list, env, start, stop, qmp, down.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/abi_component.h>

#include "lab/commands.h"
#include "lab/link.h"
#include "lab/report.h"

#define DOWN_MS 30000

/* Send one request and print what comes. @return the exit status. */
static int ask(const char *lab, const char *const *strings, size_t count)
{
	struct lab_link link;
	int status = 1;

	if (lab_link_open(&link, lab) < 0)
		return 1;
	if (lab_link_request(&link, strings, count) == 0)
		status = lab_link_finish(&link);
	lab_link_close(&link);
	return status == LAB_EXIT_FAILED ? 1 : status;
}

static int about_vm(int argc, char **argv, const char *request)
{
	struct lab_options options;
	int status, first = lab_read_options(argc, argv, "l", &options, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		return lab_usage_error(argv[0]);
	return ask(options.lab, (const char *const[]){request, argv[first]}, 2);
}

int lab_command_start(int argc, char **argv)
{
	return about_vm(argc, argv, "start");
}

int lab_command_stop(int argc, char **argv)
{
	return about_vm(argc, argv, "stop");
}

int lab_command_qmp(int argc, char **argv)
{
	struct lab_options options;
	int status, first = lab_read_options(argc, argv, "l", &options, &status);

	if (first < 0)
		return status;
	if (argc - first != 2)
		return lab_usage_error("qmp");
	return ask(options.lab, (const char *const[]){"qmp", argv[first], argv[first + 1]}, 3);
}

/* The keeper's status as an object; NULL after saying what failed. */
static json_t *fetch_status(const char *lab)
{
	struct lab_link link;
	struct lab_frame frame;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = NULL;
	json_t *status = NULL;
	int result = 0;

	if (lab_link_open(&link, lab) < 0)
		return NULL;
	if (lab_link_request(&link, (const char *const[]){"status"}, 1) == 0)
		out = open_memstream(&text, &bytes);
	while (out && result >= 0) {
		result = lab_link_next(&link, &frame);
		if (result == 0)
			result = lab_link_receive(&link);
		else if (result > 0 && frame.type == LAB_FRAME_DATA)
			fwrite(frame.payload, 1, frame.length, out);
		else
			break;
	}
	if (out)
		fclose(out);
	if (text)
		status = json_loadb(text, bytes, 0, NULL);
	if (!status)
		lab_error("the lab %s does not answer", link.rundir.name);
	free(text);
	lab_link_close(&link);
	return status;
}

static void print_vm(const json_t *vm)
{
	const char *accel = json_string_value(json_object_get(vm, "accel"));
	double seconds = json_real_value(json_object_get(vm, "boot_seconds"));

	printf("  %-20s %-8s %-8s", json_string_value(json_object_get(vm, "name")),
	       json_string_value(json_object_get(vm, "state")),
	       json_string_value(json_object_get(vm, "arch")));
	if (accel)
		printf(" %s", strcmp(accel, "kvm") == 0 ? "KVM" : "emulated");
	if (seconds > 0)
		printf(", booted in %.1f s", seconds);
	printf("\n");
}

static void print_status(const json_t *status)
{
	size_t i;
	const json_t *vm;

	printf("lab %s: %s\n", json_string_value(json_object_get(status, "lab")),
	       json_string_value(json_object_get(status, "system")));
	json_array_foreach(json_object_get(status, "vms"), i, vm) print_vm(vm);
	if (json_integer_value(json_object_get(status, "crossvmd_pid")) == 0)
		printf("  crossvmd has ended; see crossvmd.log\n");
	printf("logs and sockets: %s\n", json_string_value(json_object_get(status, "folder")));
}

int lab_command_status(int argc, char **argv)
{
	struct lab_options options;
	json_t *state;
	int status, first = lab_read_options(argc, argv, "lj", &options, &status);

	if (first < 0)
		return status;
	if (first != argc)
		return lab_usage_error("status");
	state = fetch_status(options.lab);
	if (!state)
		return 1;
	if (options.json) {
		json_dumpf(state, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		print_status(state);
	}
	json_decref(state);
	return 0;
}

static void print_name(const struct lab_rundir *rundir, void *context)
{
	(void)context;
	printf("%s\n", rundir->name);
}

int lab_command_list(int argc, char **argv)
{
	struct lab_options options;
	int status, first = lab_read_options(argc, argv, "", &options, &status);

	if (first < 0)
		return status;
	if (first != argc)
		return lab_usage_error("list");
	return lab_rundir_each(print_name, NULL) < 0 ? 1 : 0;
}

int lab_command_env(int argc, char **argv)
{
	struct lab_options options;
	struct lab_rundir rundir;
	int status, first = lab_read_options(argc, argv, "l", &options, &status);

	if (first < 0)
		return status;
	if (first != argc)
		return lab_usage_error("env");
	if (lab_rundir_find(options.lab, &rundir) < 0)
		return 1;
	printf("export CROSSVM_SOCKET='%s/" LAB_SOCKETS "/" CROSSVM_COMPONENT_SOCKET_NAME "'\n",
	       rundir.path);
	return 0;
}

static int end_lab(const char *lab)
{
	struct lab_link link;
	int status = 1;

	if (lab_link_open(&link, lab) < 0)
		return 1;
	if (lab_link_request(&link, (const char *const[]){"down"}, 1) == 0)
		status = lab_link_finish(&link) == 0 ? 0 : 1;
	lab_link_close(&link);
	if (lab_rundir_wait_gone(&link.rundir, DOWN_MS) < 0) {
		lab_error("the lab %s has not ended after %d s; see %s", link.rundir.name,
			  DOWN_MS / 1000, link.rundir.path);
		return 1;
	}
	return status;
}

static void end_each(const struct lab_rundir *rundir, void *context)
{
	int *status = context;

	if (end_lab(rundir->name) != 0)
		*status = 1;
}

int lab_command_down(int argc, char **argv)
{
	struct lab_options options;
	int status, first = lab_read_options(argc, argv, "lL", &options, &status);

	if (first < 0)
		return status;
	if (first != argc || (options.all && options.lab))
		return lab_usage_error("down");
	if (!options.all)
		return end_lab(options.lab);
	status = 0;
	return lab_rundir_each(end_each, &status) < 0 ? 1 : status;
}
