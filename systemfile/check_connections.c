/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "systemfile/size.h"

static void check_dataport(struct crossvm_check *check, size_t index)
{
	const char *text = check->raw->connections[index].dataport;
	uint64_t *bytes = &check->system->connections[index].dataport_bytes;
	size_t line = crossvm_outline_line(check->outline, "connections/%zu/dataport", index);
	int error;

	if (text == NULL)
		return;
	error = crossvm_size_parse(text, bytes);
	if (error == -EINVAL)
		crossvm_report_add(check->report, line,
				   "dataport %s is not a size; write it like 64 KiB, 3 MiB or "
				   "1 GiB",
				   crossvm_report_quote(text).text);
	else if (error == -ERANGE || *bytes > CROSSVM_MAX_DATAPORT_BYTES)
		crossvm_report_add(check->report, line, "dataport %s is too large; at most %s",
				   crossvm_report_quote(text).text,
				   crossvm_size_format(CROSSVM_MAX_DATAPORT_BYTES).text);
	else if (*bytes == 0)
		crossvm_report_add(check->report, line,
				   "dataport of size 0; leave the key out for a connection of "
				   "events only");
	else if (*bytes % CROSSVM_PAGE_BYTES != 0)
		crossvm_report_add(
			check->report, line,
			"dataport %s is not a whole number of pages; write a multiple "
			"of 4 KiB, such as %s",
			crossvm_report_quote(text).text,
			crossvm_size_format((*bytes / CROSSVM_PAGE_BYTES + 1) * CROSSVM_PAGE_BYTES)
				.text);
}

/* Which VM or component a member is. @return whether that is known. */
static bool check_reference(struct crossvm_check *check, size_t connection, size_t index)
{
	const struct raw_member *raw = &check->raw->connections[connection].members[index];
	struct crossvm_system_member *member =
		&check->system->connections[connection].members[index];
	const char *name = raw->vm != NULL ? raw->vm : raw->component;
	ssize_t found;

	if ((raw->vm == NULL) == (raw->component == NULL)) {
		crossvm_report_add(check->report,
				   crossvm_check_member_line(check, connection, index, "vm"),
				   "a member is a VM or a component; write either 'vm: NAME' or "
				   "'component: NAME'");
		return false;
	}
	member->is_vm = raw->vm != NULL;
	found = crossvm_names_find(member->is_vm ? &check->vms : &check->components, name);
	if (found < 0) {
		crossvm_report_add(check->report,
				   crossvm_check_member_line(check, connection, index,
							     member->is_vm ? "vm" : "component"),
				   "%s %s is not declared; add it under '%s', or correct the name",
				   member->is_vm ? "VM" : "component",
				   crossvm_report_quote(name).text,
				   member->is_vm ? "vms" : "components");
		return false;
	}
	member->index = (size_t)found;
	return true;
}

static void check_repeated(struct crossvm_check *check, size_t connection, size_t index)
{
	const struct raw_member *raw = check->raw->connections[connection].members;
	const struct crossvm_system_member *members =
		check->system->connections[connection].members;
	bool is_vm = members[index].is_vm;

	for (size_t i = 0; i < index; i++) {
		if (members[i].index != members[index].index || members[i].is_vm != is_vm)
			continue;
		crossvm_report_add(
			check->report, crossvm_check_member_line(check, connection, index, ""),
			"%s %s is a member already (line %zu); remove one of the two",
			is_vm ? "VM" : "component",
			crossvm_report_quote(is_vm ? raw[index].vm : raw[index].component).text,
			crossvm_check_member_line(check, connection, i, ""));
		return;
	}
}

static void check_access(struct crossvm_check *check, size_t connection, size_t index)
{
	const char *access = check->raw->connections[connection].members[index].access;
	uint32_t *result = &check->system->connections[connection].members[index].access;
	size_t line = crossvm_check_member_line(check, connection, index, "access");

	if (check->raw->connections[connection].dataport == NULL) {
		if (access != NULL)
			crossvm_report_add(check->report, line,
					   "access to what? The connection has no dataport; "
					   "remove this, or add one");
		return;
	}
	if (access == NULL)
		crossvm_report_add(check->report, line,
				   "a member without access; add 'access: read-write' or "
				   "'access: read-only'");
	else if (strcmp(access, "read-write") == 0)
		*result = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	else if (strcmp(access, "read-only") == 0)
		*result = CROSSVM_ACCESS_READ;
	else
		crossvm_report_add(check->report, line, "access %s; write read-write or read-only",
				   crossvm_report_quote(access).text);
}

static int check_members(struct crossvm_check *check, size_t index)
{
	struct crossvm_system_connection *connection = &check->system->connections[index];
	size_t count = check->raw->connections[index].members_count;
	size_t line = crossvm_outline_line(check->outline, "connections/%zu/members", index);

	if (count < 2)
		crossvm_report_add(check->report, line,
				   "a connection with %zu member%s; it joins two at least", count,
				   count == 1 ? "" : "s");
	if (count == 0)
		return 0;
	connection->members = calloc(count, sizeof(*connection->members));
	if (connection->members == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		bool known = check_reference(check, index, i);

		if (!known)
			connection->members[i].index = SIZE_MAX - i; /* equal to no other */
		else
			check_repeated(check, index, i);
		check_access(check, index, i);
	}
	connection->num_members = count;
	return 0;
}

/*
 * How many may write: any number, unless the connection says what it is for. Asked only once all
 * accesses are known to be valid.
 */
static void check_writers(struct crossvm_check *check, size_t index)
{
	const struct crossvm_system_connection *connection = &check->system->connections[index];
	const char *kind = check->raw->connections[index].kind;
	size_t line = crossvm_outline_line(check->outline, "connections/%zu/kind", index);
	size_t writers = 0;

	for (size_t i = 0; i < connection->num_members; i++) {
		if (!(connection->members[i].access & CROSSVM_ACCESS_WRITE))
			continue;
		writers++;
		if (kind != NULL && strcmp(kind, "broadcast") == 0 && writers == 2)
			crossvm_report_add(check->report,
					   crossvm_check_member_line(check, index, i, "access"),
					   "a second writer in a broadcast connection; make all "
					   "members but one read-only, or write 'kind: shared'");
	}
	if (kind != NULL && strcmp(kind, "broadcast") != 0 && strcmp(kind, "queue") != 0 &&
	    strcmp(kind, "shared") != 0)
		crossvm_report_add(check->report, line, "kind %s; write shared, queue or broadcast",
				   crossvm_report_quote(kind).text);
	else if (kind != NULL && connection->dataport_bytes == 0)
		crossvm_report_add(check->report, line,
				   "a kind of use of what? The connection has no dataport; remove "
				   "this, or add one");
	else if (kind != NULL && strcmp(kind, "queue") == 0 &&
		 (connection->num_members != 2 || writers != 2))
		crossvm_report_add(check->report, line,
				   "a queue joins exactly two members, both read-write; here are "
				   "%zu, of which %zu write",
				   connection->num_members, writers);
	else if (connection->dataport_bytes > 0 && writers == 0)
		crossvm_report_add(
			check->report,
			crossvm_outline_line(check->outline, "connections/%zu/members", index),
			"no member may write the dataport; make one read-write");
}

/* Asked only once all members are known to be valid. */
static void check_doorbell(struct crossvm_check *check, size_t index)
{
	struct crossvm_system_connection *connection = &check->system->connections[index];
	const char *doorbell = check->raw->connections[index].doorbell;
	size_t line = crossvm_outline_line(check->outline, "connections/%zu/doorbell", index);

	if (doorbell == NULL || strcmp(doorbell, "false") == 0)
		return;
	if (strcmp(doorbell, "true") != 0) {
		crossvm_report_add(check->report, line, "doorbell %s; write true or false",
				   crossvm_report_quote(doorbell).text);
		return;
	}
	connection->doorbell = true;
	for (size_t i = 0; i < connection->num_members; i++) {
		const struct crossvm_system_member *member = &connection->members[i];

		if (connection->num_members != CROSSVM_DOORBELL_MEMBERS || !member->is_vm) {
			crossvm_report_add(check->report, line,
					   "a doorbell joins just two VMs; remove this, or the "
					   "other members");
			return;
		}
		if (check->system->vms[member->index].single_layout) {
			crossvm_report_add(check->report, line,
					   "a doorbell for VM '%s', whose layout is single; remove "
					   "one of the two",
					   check->system->vms[member->index].name);
			return;
		}
	}
}

static void check_name(struct crossvm_check *check, size_t index)
{
	struct crossvm_system_connection *connections = check->system->connections;
	size_t line = crossvm_outline_line(check->outline, "connections/%zu/name", index);
	ssize_t first;

	crossvm_check_name(check, line, "connection", check->raw->connections[index].name,
			   connections[index].name);
	if (connections[index].name[0] == '\0')
		return;
	first = crossvm_names_find(&check->connections, connections[index].name);
	if ((size_t)first != index)
		crossvm_report_add(
			check->report, line,
			"connection '%s' is there already (line %zu); choose another name",
			connections[index].name,
			crossvm_outline_line(check->outline, "connections/%zd/name", first));
}

static int check_connection(struct crossvm_check *check, size_t index)
{
	size_t errors = check->report->count;
	int error;

	check_name(check, index);
	check_dataport(check, index);
	error = check_members(check, index);
	if (error)
		return error;
	if (check->report->count == errors)
		check_writers(check, index);
	if (check->report->count == errors)
		check_doorbell(check, index);
	return 0;
}

int crossvm_check_connections(struct crossvm_check *check)
{
	struct crossvm_system *system = check->system;
	size_t count = check->raw->connections_count;
	size_t line = crossvm_outline_line(check->outline, "connections");

	if (count == 0) {
		crossvm_report_add(
			check->report, line,
			"no connection; write at least one, or there is nothing to serve");
		return 0;
	}
	system->connections = calloc(count, sizeof(*system->connections));
	if (system->connections == NULL)
		return -ENOMEM;
	system->num_connections = count;
	for (size_t i = 0; i < count; i++)
		if (check_connection(check, i) != 0)
			return -ENOMEM;
	return 0;
}
