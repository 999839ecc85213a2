/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/name.h>

#include "systemfile/size.h"

#define MIN_MEMORY_BYTES (UINT64_C(32) << 20)
#define MEMORY_STEP      (UINT64_C(1) << 20)

void crossvm_check_name(struct crossvm_check *check, size_t line, const char *what,
			const char *name, char *buffer)
{
	size_t bytes = strlen(name);

	if (bytes == 0) {
		crossvm_report_add(check->report, line, "empty name of a %s; give it one", what);
	} else if (bytes > CROSSVM_NAME_MAX) {
		crossvm_report_add(check->report, line,
				   "%s name %s has %zu characters; at most %u are possible", what,
				   crossvm_report_quote(name).text, bytes, CROSSVM_NAME_MAX);
	} else if (crossvm_name_wrong(name) != NULL) {
		crossvm_report_add(check->report, line,
				   "%s name %s; use letters, digits, '_', '.' and '-', and begin "
				   "with neither '.' nor '-'",
				   what, crossvm_report_quote(name).text);
	} else {
		memcpy(buffer, name, bytes + 1);
	}
}

size_t crossvm_check_member_line(const struct crossvm_check *check, size_t connection,
				 size_t member, const char *key)
{
	return crossvm_outline_line(check->outline, "connections/%zu/members/%zu/%s", connection,
				    member, key);
}

static void check_arch(struct crossvm_check *check, size_t index)
{
	const char *arch = check->raw->vms[index].arch;

	if (arch == NULL || strcmp(arch, "x86_64") == 0)
		check->system->vms[index].arch = CROSSVM_ARCH_X86_64;
	else if (strcmp(arch, "aarch64") == 0)
		check->system->vms[index].arch = CROSSVM_ARCH_AARCH64;
	else
		crossvm_report_add(
			check->report, crossvm_outline_line(check->outline, "vms/%zu/arch", index),
			"arch %s; write x86_64 or aarch64", crossvm_report_quote(arch).text);
}

static void check_layout(struct crossvm_check *check, size_t index)
{
	const char *layout = check->raw->vms[index].layout;

	if (layout == NULL || strcmp(layout, "split") == 0)
		check->system->vms[index].single_layout = false;
	else if (strcmp(layout, "single") == 0)
		check->system->vms[index].single_layout = true;
	else
		crossvm_report_add(check->report,
				   crossvm_outline_line(check->outline, "vms/%zu/layout", index),
				   "layout %s; write split, or single for old guest software",
				   crossvm_report_quote(layout).text);
}

static void check_memory(struct crossvm_check *check, size_t index)
{
	const char *memory = check->raw->vms[index].memory;
	uint64_t *bytes = &check->system->vms[index].memory_bytes;
	size_t line = crossvm_outline_line(check->outline, "vms/%zu/memory", index);

	if (memory == NULL)
		return;
	if (crossvm_size_parse(memory, bytes) != 0)
		crossvm_report_add(check->report, line,
				   "memory %s is not a size; write it like 512 MiB",
				   crossvm_report_quote(memory).text);
	else if (*bytes < MIN_MEMORY_BYTES || *bytes % MEMORY_STEP != 0)
		crossvm_report_add(check->report, line,
				   "memory %s; a VM needs whole MiB, and %s at least",
				   crossvm_report_quote(memory).text,
				   crossvm_size_format(MIN_MEMORY_BYTES).text);
}

static int check_file(struct crossvm_check *check, size_t vm, size_t index)
{
	const struct raw_file *raw = &check->raw->vms[vm].files[index];
	struct crossvm_system_file *file = &check->system->vms[vm].files[index];
	size_t line = crossvm_outline_line(check->outline, "vms/%zu/files/%zu", vm, index);
	char *end = NULL;
	int written;

	if (raw->source[0] == '/')
		written = asprintf(&file->source, "%s", raw->source);
	else
		written = asprintf(&file->source, "%s/%s", check->directory, raw->source);
	if (written < 0)
		file->source = NULL;
	file->destination = strdup(raw->destination);
	if (file->source == NULL || file->destination == NULL)
		return -ENOMEM;
	if (raw->source[0] == '\0')
		crossvm_report_add(check->report, line, "empty source; name a file of this host");
	if (raw->destination[0] != '/' || strstr(raw->destination, "/..") != NULL ||
	    raw->destination[strlen(raw->destination) - 1] == '/')
		crossvm_report_add(check->report, line,
				   "destination %s; name a file in the VM, from '/' on and "
				   "without '..'",
				   crossvm_report_quote(raw->destination).text);
	if (raw->mode == NULL)
		return 0;
	file->mode = (mode_t)strtoul(raw->mode, &end, 8);
	if (raw->mode[0] < '0' || raw->mode[0] > '7' || *end != '\0' || file->mode == 0 ||
	    file->mode > 07777)
		crossvm_report_add(check->report, line, "mode %s; write it in octal, like 0755",
				   crossvm_report_quote(raw->mode).text);
	return 0;
}

/* VMs and components share one set of names, since peers see both: the first of a name keeps it. */
static void check_unique(struct crossvm_check *check, bool is_vm, size_t index)
{
	const char *name = is_vm ? check->raw->vms[index].name : check->raw->components[index].name;
	ssize_t vm = crossvm_names_find(&check->vms, name);
	ssize_t component = crossvm_names_find(&check->components, name);

	if (is_vm ? (size_t)vm == index : vm < 0 && (size_t)component == index)
		return;
	crossvm_report_add(check->report,
			   crossvm_outline_line(check->outline, "%s/%zu/name",
						is_vm ? "vms" : "components", index),
			   "%s %s has a name that is taken (line %zu); choose another",
			   is_vm ? "VM" : "component", crossvm_report_quote(name).text,
			   crossvm_outline_line(check->outline, "%s/%zd/name",
						vm >= 0 ? "vms" : "components",
						vm >= 0 ? vm : component));
}

/* kernel_args or qemu_args, by the name of its key. */
static int check_arguments(struct crossvm_check *check, size_t vm, const char *key, char **raw,
			   size_t count, char ***arguments)
{
	if (count == 0)
		return 0;
	*arguments = calloc(count + 1, sizeof(**arguments));
	if (*arguments == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		(*arguments)[i] = strdup(raw[i]);
		if ((*arguments)[i] == NULL)
			return -ENOMEM;
		if (raw[i][0] == '\0')
			crossvm_report_add(
				check->report,
				crossvm_outline_line(check->outline, "vms/%zu/%s/%zu", vm, key, i),
				"empty argument in %s; remove it", key);
	}
	return 0;
}

static int check_vm(struct crossvm_check *check, size_t index)
{
	const struct raw_vm *raw = &check->raw->vms[index];
	struct crossvm_system_vm *vm = &check->system->vms[index];

	crossvm_check_name(check, crossvm_outline_line(check->outline, "vms/%zu/name", index), "VM",
			   raw->name, vm->name);
	check_unique(check, true, index);
	crossvm_check_people(check, "vms", index, raw->user, raw->group, &vm->user, &vm->group);
	check_arch(check, index);
	check_layout(check, index);
	check_memory(check, index);
	if (check_arguments(check, index, "kernel_args", raw->kernel_args, raw->kernel_args_count,
			    &vm->kernel_args) != 0 ||
	    check_arguments(check, index, "qemu_args", raw->qemu_args, raw->qemu_args_count,
			    &vm->qemu_args) != 0)
		return -ENOMEM;
	if (raw->files_count == 0)
		return 0;
	vm->files = calloc(raw->files_count, sizeof(*vm->files));
	if (vm->files == NULL)
		return -ENOMEM;
	vm->num_files = raw->files_count;
	for (size_t i = 0; i < vm->num_files; i++)
		if (check_file(check, index, i) != 0)
			return -ENOMEM;
	return 0;
}

int crossvm_check_make_names(struct crossvm_check *check)
{
	const struct raw_system *raw = check->raw;

	if (crossvm_names_create(&check->vms, raw->vms_count) != 0 ||
	    crossvm_names_create(&check->components, raw->components_count) != 0 ||
	    crossvm_names_create(&check->connections, raw->connections_count) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < raw->vms_count; i++)
		crossvm_names_add(&check->vms, raw->vms[i].name);
	for (size_t i = 0; i < raw->components_count; i++)
		crossvm_names_add(&check->components, raw->components[i].name);
	for (size_t i = 0; i < raw->connections_count; i++)
		crossvm_names_add(&check->connections, raw->connections[i].name);
	crossvm_names_sort(&check->vms);
	crossvm_names_sort(&check->components);
	crossvm_names_sort(&check->connections);
	return 0;
}

int crossvm_check_vms(struct crossvm_check *check)
{
	struct crossvm_system *system = check->system;

	if (check->raw->vms_count == 0)
		return 0;
	system->vms = calloc(check->raw->vms_count, sizeof(*system->vms));
	if (system->vms == NULL)
		return -ENOMEM;
	system->num_vms = check->raw->vms_count;
	for (size_t i = 0; i < system->num_vms; i++)
		if (check_vm(check, i) != 0)
			return -ENOMEM;
	return 0;
}

int crossvm_check_components(struct crossvm_check *check)
{
	struct crossvm_system *system = check->system;

	if (check->raw->components_count == 0)
		return 0;
	system->components = calloc(check->raw->components_count, sizeof(*system->components));
	if (system->components == NULL)
		return -ENOMEM;
	system->num_components = check->raw->components_count;
	for (size_t i = 0; i < system->num_components; i++) {
		const struct raw_component *raw = &check->raw->components[i];
		struct crossvm_system_component *component = &system->components[i];

		crossvm_check_name(check,
				   crossvm_outline_line(check->outline, "components/%zu/name", i),
				   "component", raw->name, component->name);
		check_unique(check, false, i);
		crossvm_check_people(check, "components", i, raw->user, raw->group,
				     &component->user, &component->group);
	}
	return 0;
}
