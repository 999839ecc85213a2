/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the texts of a system file to a system: numbers, ids, references, and every rule that goes
 * beyond the file's shape. Reports all mistakes it finds.
 */
#ifndef CROSSVM_SYSTEMFILE_CHECK_H
#define CROSSVM_SYSTEMFILE_CHECK_H

#include <stdbool.h>
#include <sys/types.h>

#include "systemfile/names.h"
#include "systemfile/outline.h"
#include "systemfile/report.h"
#include "systemfile/schema.h"
#include "systemfile/system.h"

struct crossvm_check {
	const struct raw_system *raw;
	const struct crossvm_outline *outline;
	struct crossvm_report *report;
	const char *directory;  /* absolute, of the system file */
	const char *socket_dir; /* NULL: not known */
	struct crossvm_system *system;
	/* All names of the file, valid or not. */
	struct crossvm_names vms;
	struct crossvm_names components;
	struct crossvm_names connections;
};

/* The names, then the VMs, components and connections in turn. @return 0, or -ENOMEM. */
int crossvm_check_make_names(struct crossvm_check *check);
int crossvm_check_vms(struct crossvm_check *check);
int crossvm_check_components(struct crossvm_check *check);
int crossvm_check_connections(struct crossvm_check *check);
/* What this host has room for. Only once all of the above is known to be valid. */
int crossvm_check_host(struct crossvm_check *check);

/*
 * The user and the group of the VM or component at "list/index", as the file names them.
 *
 * @user_name, @group_name: NULL: not named.
 * @user, @group: set to the ids, or to -1 if they are not named or not known.
 */
void crossvm_check_people(struct crossvm_check *check, const char *list, size_t index,
			  const char *user_name, const char *group_name, uid_t *user, gid_t *group);

/* The line of a key of a connection's member, or of the member. */
size_t crossvm_check_member_line(const struct crossvm_check *check, size_t connection,
				 size_t member, const char *key);

/* Copy a name to buffer of CROSSVM_NAME_BYTES if it is one, else report. what: "VM" and the like. */
void crossvm_check_name(struct crossvm_check *check, size_t line, const char *what,
			const char *name, char *buffer);

#endif
