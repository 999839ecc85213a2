/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the texts of a system file to a system: numbers, ids, references, and every rule that goes
 * beyond the file's shape. Reports all mistakes it finds.
 */
#ifndef CROSSVM_SYSTEMFILE_CHECK_H
#define CROSSVM_SYSTEMFILE_CHECK_H

#include <stdbool.h>
#include <sys/types.h>

#include "systemfile/outline.h"
#include "systemfile/report.h"
#include "systemfile/schema.h"
#include "systemfile/system.h"

struct crossvm_check {
	const struct raw_system *raw;
	const struct crossvm_outline *outline;
	struct crossvm_report *report;
	const char *directory; /* absolute, of the system file */
	struct crossvm_system *system;
};

/* The VMs, components and connections in turn. @return 0, or -ENOMEM. */
int crossvm_check_vms(struct crossvm_check *check);
int crossvm_check_components(struct crossvm_check *check);
int crossvm_check_connections(struct crossvm_check *check);

/* Copy a name to buffer of CROSSVM_NAME_BYTES if it is one, else report. what: "VM" and the like. */
void crossvm_check_name(struct crossvm_check *check, size_t line, const char *what,
			const char *name, char *buffer);

/* Index of the first VM or component that the file gives this name, valid or not, or -1. */
ssize_t crossvm_check_find(const struct raw_system *raw, bool is_vm, const char *name);

#endif
