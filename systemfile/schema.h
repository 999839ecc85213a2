/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keys a system file may have, as a libcyaml schema, and the structures that libcyaml loads by
 * it. All values are texts still: check.c makes numbers, ids and references of them, since only so
 * can a message say what a value should look like.
 */
#ifndef CROSSVM_SYSTEMFILE_SCHEMA_H
#define CROSSVM_SYSTEMFILE_SCHEMA_H

#include <stdint.h>

#include <cyaml/cyaml.h>

#include "systemfile/outline.h"
#include "systemfile/report.h"

struct raw_file {
	char *source;
	char *destination;
	char *mode;
};

struct raw_vm {
	char *name;
	char *arch;
	char *memory;
	char *user;
	char *group;
	char *layout;
	struct raw_file *files;
	uint32_t files_count;
	char **kernel_args;
	uint32_t kernel_args_count;
	char **qemu_args;
	uint32_t qemu_args_count;
};

struct raw_component {
	char *name;
	char *user;
	char *group;
};

struct raw_member {
	char *vm;
	char *component;
	char *access;
};

struct raw_connection {
	char *name;
	char *kind;
	char *dataport;
	char *doorbell;
	struct raw_member *members;
	uint32_t members_count;
};

struct raw_system {
	struct raw_vm *vms;
	uint32_t vms_count;
	struct raw_component *components;
	uint32_t components_count;
	struct raw_connection *connections;
	uint32_t connections_count;
};

/*
 * Check that the outline has the schema's shape: known keys, each once, lists where lists should be,
 * nothing missing. Reports everything that is wrong.
 */
void crossvm_schema_check(const struct crossvm_outline *outline, struct crossvm_report *report);

/* Load a text whose outline has the right shape. @return 0, -EINVAL with a message, or -ENOMEM. */
int crossvm_schema_load(const char *text, size_t bytes, struct crossvm_report *report,
			struct raw_system **system);
void crossvm_schema_free(struct raw_system *system);

#endif
