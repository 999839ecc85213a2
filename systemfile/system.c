/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "systemfile/check.h"
#include "systemfile/outline.h"
#include "systemfile/report.h"
#include "systemfile/schema.h"
#include "systemfile/text.h"

ssize_t crossvm_system_find_vm(const struct crossvm_system *system, const char *name)
{
	for (size_t i = 0; i < system->num_vms; i++)
		if (strcmp(system->vms[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

ssize_t crossvm_system_find_component(const struct crossvm_system *system, const char *name)
{
	for (size_t i = 0; i < system->num_components; i++)
		if (strcmp(system->components[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

static bool has_member(const struct crossvm_system_connection *connection, size_t vm)
{
	for (size_t i = 0; i < connection->num_members; i++)
		if (connection->members[i].is_vm && connection->members[i].index == vm)
			return true;
	return false;
}

struct crossvm_qemu_connection crossvm_system_qemu_connection(const struct crossvm_system *system,
							      size_t vm, size_t connection)
{
	return (struct crossvm_qemu_connection){
		.name = system->connections[connection].name,
		.single_layout = system->vms[vm].single_layout,
		.doorbell = system->connections[connection].doorbell,
	};
}

struct crossvm_qemu_connection *crossvm_system_qemu_connections(const struct crossvm_system *system,
								size_t vm, size_t *count)
{
	struct crossvm_qemu_connection *connections =
		calloc(system->num_connections + 1, sizeof(*connections));

	*count = 0;
	for (size_t i = 0; connections != NULL && i < system->num_connections; i++)
		if (has_member(&system->connections[i], vm))
			connections[(*count)++] = crossvm_system_qemu_connection(system, vm, i);
	return connections;
}

static void free_arguments(char **arguments)
{
	for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++)
		free(arguments[i]);
	free(arguments);
}

void crossvm_system_free(struct crossvm_system *system)
{
	if (system == NULL)
		return;
	for (size_t i = 0; i < system->num_vms; i++) {
		for (size_t j = 0; j < system->vms[i].num_files; j++) {
			free(system->vms[i].files[j].source);
			free(system->vms[i].files[j].destination);
		}
		free(system->vms[i].files);
		free_arguments(system->vms[i].kernel_args);
		free_arguments(system->vms[i].qemu_args);
	}
	for (size_t i = 0; i < system->num_connections; i++)
		free(system->connections[i].members);
	free(system->vms);
	free(system->components);
	free(system->connections);
	free(system->path);
	free(system);
}

/* The path from '/' on, as it is named: symbolic links stay. */
static char *make_absolute(const char *path)
{
	char *absolute = NULL;
	char *here;

	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (here == NULL)
		return NULL;
	if (asprintf(&absolute, "%s/%s", here, path) < 0)
		absolute = NULL;
	free(here);
	return absolute;
}

static int check_all(struct crossvm_check *check)
{
	struct crossvm_system *system = check->system;
	char *directory;
	char *slash;
	int error;

	system->path = make_absolute(check->report->path);
	directory = system->path == NULL ? NULL : strdup(system->path);
	if (directory == NULL)
		return -ENOMEM;
	slash = strrchr(directory, '/');
	*slash = '\0';
	check->directory = directory;
	error = crossvm_check_make_names(check);
	if (!error)
		error = crossvm_check_vms(check);
	if (!error)
		error = crossvm_check_components(check);
	if (!error)
		error = crossvm_check_connections(check);
	if (!error && check->report->count == 0)
		error = crossvm_check_host(check);
	crossvm_names_destroy(&check->vms);
	crossvm_names_destroy(&check->components);
	crossvm_names_destroy(&check->connections);
	free(directory);
	if (error)
		return error;
	return check->report->count > 0 ? -EINVAL : 0;
}

static int parse(const char *socket_dir, const char *text, size_t bytes,
		 struct crossvm_report *report, struct crossvm_system **system)
{
	struct crossvm_check check = {.report = report, .socket_dir = socket_dir};
	struct crossvm_outline *outline = NULL;
	struct raw_system *raw = NULL;
	int error = crossvm_text_check(&text, &bytes, report);

	if (!error)
		error = crossvm_outline_read(text, bytes, report, &outline);
	if (error)
		return error;
	crossvm_schema_check(outline, report);
	error = report->count > 0 ? -EINVAL : crossvm_schema_load(text, bytes, report, &raw);
	if (error)
		goto out;
	check.raw = raw;
	check.outline = outline;
	check.system = calloc(1, sizeof(*check.system));
	error = check.system == NULL ? -ENOMEM : check_all(&check);
	if (error)
		crossvm_system_free(check.system);
	else
		*system = check.system;
out:
	crossvm_schema_free(raw);
	crossvm_outline_free(outline);
	return error;
}

int crossvm_system_parse(const char *path, const char *socket_dir, const char *text, size_t bytes,
			 struct crossvm_system **system, char **message)
{
	struct crossvm_report report = {.path = path};
	int error = parse(socket_dir, text, bytes, &report, system);

	if (error == -ENOMEM)
		crossvm_report_add(&report, 0, "not enough memory; close other programs");
	if (error)
		*message = crossvm_report_take(&report);
	return error;
}

/* @return the file's descriptor, or -errno with a message. */
static int open_file(struct crossvm_report *report)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer */
	int fd = open(report->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	int error = 0;

	if (fd < 0) {
		error = -errno;
		crossvm_report_add(report, 0, "%s; %s", strerror(-error),
				   error == -EACCES ? "make it readable for this user"
						    : "check the path");
		return error;
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		crossvm_report_add(report, 0, "not a regular file; name a system file");
		error = -EINVAL;
	} else if (status.st_size > (off_t)CROSSVM_TEXT_MAX_BYTES) {
		crossvm_report_add(report, 0,
				   "%lld bytes are too many for a system file; at most 1 MiB",
				   (long long)status.st_size);
		error = -EINVAL;
	}
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/* @return how many bytes, or -errno. */
static ssize_t read_all(int fd, char *buffer, size_t room)
{
	size_t bytes = 0;

	while (bytes < room) {
		ssize_t n = read(fd, buffer + bytes, room - bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		bytes += (size_t)n;
	}
	return (ssize_t)bytes;
}

int crossvm_system_read(const char *path, const char *socket_dir, struct crossvm_system **system,
			char **message)
{
	struct crossvm_report report = {.path = path};
	int fd = open_file(&report);
	char *text = NULL;
	ssize_t bytes;

	if (fd < 0) {
		*message = crossvm_report_take(&report);
		return fd;
	}
	text = malloc(CROSSVM_TEXT_MAX_BYTES + 1); /* one more tells that it has grown meanwhile */
	bytes = text == NULL ? -ENOMEM : read_all(fd, text, CROSSVM_TEXT_MAX_BYTES + 1);
	close(fd);
	if (bytes < 0) {
		crossvm_report_add(&report, 0, "cannot be read: %s", strerror((int)-bytes));
		*message = crossvm_report_take(&report);
		free(text);
		return (int)bytes;
	}
	bytes = crossvm_system_parse(path, socket_dir, text, (size_t)bytes, system, message);
	free(text);
	return (int)bytes;
}
