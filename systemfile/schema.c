/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <crossvm/abi.h>

/*
 * How long lists can be. A list that is too long is refused before libcyaml sees it, which moves what
 * it has of a list for each entry more.
 */
#define MAX_VMS         256u
#define MAX_COMPONENTS  256u
#define MAX_CONNECTIONS 4096u
#define MAX_FILES       4096u
#define MAX_ARGUMENTS   1024u

#define MAX_FIELDS 16u /* at least as many as any mapping has, with the end */

#define LIST     (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define REQUIRED CYAML_FLAG_POINTER
#define TEXT(key, flags, structure, member) \
	CYAML_FIELD_STRING_PTR(key, flags, structure, member, 0, CYAML_UNLIMITED)

static const cyaml_schema_field_t file_fields[] = {
	TEXT("source", REQUIRED, struct raw_file, source),
	TEXT("destination", REQUIRED, struct raw_file, destination),
	TEXT("mode", OPTIONAL, struct raw_file, mode),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t file_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_file, file_fields),
};

static const cyaml_schema_value_t argument_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t vm_fields[] = {
	TEXT("name", REQUIRED, struct raw_vm, name),
	TEXT("arch", OPTIONAL, struct raw_vm, arch),
	TEXT("memory", OPTIONAL, struct raw_vm, memory),
	TEXT("user", OPTIONAL, struct raw_vm, user),
	TEXT("group", OPTIONAL, struct raw_vm, group),
	TEXT("layout", OPTIONAL, struct raw_vm, layout),
	CYAML_FIELD_SEQUENCE("files", LIST, struct raw_vm, files, &file_schema, 0, MAX_FILES),
	CYAML_FIELD_SEQUENCE("kernel_args", LIST, struct raw_vm, kernel_args, &argument_schema, 0,
			     MAX_ARGUMENTS),
	CYAML_FIELD_SEQUENCE("qemu_args", LIST, struct raw_vm, qemu_args, &argument_schema, 0,
			     MAX_ARGUMENTS),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t vm_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_vm, vm_fields),
};

static const cyaml_schema_field_t component_fields[] = {
	TEXT("name", REQUIRED, struct raw_component, name),
	TEXT("user", OPTIONAL, struct raw_component, user),
	TEXT("group", OPTIONAL, struct raw_component, group),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t component_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_component, component_fields),
};

static const cyaml_schema_field_t member_fields[] = {
	TEXT("vm", OPTIONAL, struct raw_member, vm),
	TEXT("component", OPTIONAL, struct raw_member, component),
	TEXT("access", OPTIONAL, struct raw_member, access),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t member_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_member, member_fields),
};

static const cyaml_schema_field_t connection_fields[] = {
	TEXT("name", REQUIRED, struct raw_connection, name),
	TEXT("kind", OPTIONAL, struct raw_connection, kind),
	TEXT("dataport", OPTIONAL, struct raw_connection, dataport),
	TEXT("doorbell", OPTIONAL, struct raw_connection, doorbell),
	CYAML_FIELD_SEQUENCE("members", CYAML_FLAG_POINTER, struct raw_connection, members,
			     &member_schema, 0, CROSSVM_MAX_MEMBERS),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t connection_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_connection, connection_fields),
};

static const cyaml_schema_field_t system_fields[] = {
	CYAML_FIELD_SEQUENCE("vms", LIST, struct raw_system, vms, &vm_schema, 0, MAX_VMS),
	CYAML_FIELD_SEQUENCE("components", LIST, struct raw_system, components, &component_schema,
			     0, MAX_COMPONENTS),
	CYAML_FIELD_SEQUENCE("connections", CYAML_FLAG_POINTER, struct raw_system, connections,
			     &connection_schema, 0, MAX_CONNECTIONS),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t system_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_system, system_fields),
};

/* "name, arch, memory": the keys that a mapping may have. */
static void list_keys(const cyaml_schema_field_t *fields, char *text, size_t bytes)
{
	size_t n = 0;

	text[0] = '\0';
	for (; fields->key != NULL && n < bytes; fields++)
		n += (size_t)snprintf(text + n, bytes - n, "%s%s", n > 0 ? ", " : "", fields->key);
}

static void check_value(const struct crossvm_outline *node, const cyaml_schema_value_t *schema,
			const char *what, struct crossvm_report *report);

/*
 * One key and its value.
 *
 * @first: for each field, where the mapping has it first; NULL: not seen yet. This, and not a search
 *   among the keys before, tells that a key comes twice, so that a mapping of many keys takes no
 *   longer than its length.
 */
static void check_field(const struct crossvm_outline *node, const cyaml_schema_field_t *fields,
			const struct crossvm_outline **first, const char *what,
			struct crossvm_report *report)
{
	size_t field = 0;
	char known[128];

	while (fields[field].key != NULL && strcmp(fields[field].key, node->key) != 0)
		field++;
	if (fields[field].key == NULL) {
		list_keys(fields, known, sizeof(known));
		crossvm_report_add(report, node->line, "unknown key %s in %s; it may have: %s",
				   crossvm_report_quote(node->key).text, what, known);
	} else if (first[field] != NULL) {
		crossvm_report_add(report, node->line,
				   "key '%s' is here twice (first in line %zu); remove one",
				   node->key, first[field]->line);
	} else {
		first[field] = node;
		check_value(node, &fields[field].value, node->key, report);
	}
}

static void check_mapping(const struct crossvm_outline *mapping, const cyaml_schema_field_t *fields,
			  const char *what, struct crossvm_report *report)
{
	const struct crossvm_outline *first[MAX_FIELDS] = {NULL};

	for (size_t i = 0; i < mapping->num_children; i++)
		check_field(mapping->children[i], fields, first, what, report);
	for (size_t i = 0; fields[i].key != NULL; i++)
		if (!(fields[i].value.flags & CYAML_FLAG_OPTIONAL) && first[i] == NULL)
			crossvm_report_add(report, mapping->line, "%s lacks '%s'; add it", what,
					   fields[i].key);
}

/* One entry of the list that goes by a name such as "vms". */
static const char *entry_name(const char *list)
{
	static const char *const names[][2] = {{"vms", "a VM"},
					       {"components", "a component"},
					       {"connections", "a connection"},
					       {"members", "a member"},
					       {"files", "a file"},
					       {"kernel_args", "an argument in kernel_args"},
					       {"qemu_args", "an argument in qemu_args"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], list) == 0)
			return names[i][1];
	return list;
}

static void check_sequence(const struct crossvm_outline *node, const cyaml_schema_value_t *schema,
			   const char *what, struct crossvm_report *report)
{
	uint32_t most = schema->sequence.max;

	if (node->num_children > most)
		crossvm_report_add(report, node->children[most]->line,
				   "%zu %s; at most %u are possible", node->num_children, what,
				   most);
	for (size_t i = 0; i < node->num_children; i++)
		check_value(node->children[i], schema->sequence.entry, entry_name(what), report);
}

static void check_value(const struct crossvm_outline *node, const cyaml_schema_value_t *schema,
			const char *what, struct crossvm_report *report)
{
	static const char *const expected[] = {
		[CROSSVM_OUTLINE_SCALAR] = "a single value; write 'key: value'",
		[CROSSVM_OUTLINE_SEQUENCE] = "a list; begin each entry with '- '",
		[CROSSVM_OUTLINE_MAPPING] = "a group of keys; write 'key: value' for each",
	};
	enum crossvm_outline_type type = CROSSVM_OUTLINE_SCALAR;

	if (schema->type == CYAML_SEQUENCE)
		type = CROSSVM_OUTLINE_SEQUENCE;
	else if (schema->type == CYAML_MAPPING)
		type = CROSSVM_OUTLINE_MAPPING;
	if (node->type != type) {
		crossvm_report_add(report, node->line, "%s should be %s", what, expected[type]);
		return;
	}
	if (type == CROSSVM_OUTLINE_MAPPING)
		check_mapping(node, schema->mapping.fields, what, report);
	else if (type == CROSSVM_OUTLINE_SEQUENCE)
		check_sequence(node, schema, what, report);
}

void crossvm_schema_check(const struct crossvm_outline *outline, struct crossvm_report *report)
{
	check_value(outline, &system_schema, "the system file", report);
}

struct capture {
	char first[256];
};

/* Only what crossvm_schema_check() has not foreseen comes here. */
__attribute__((format(printf, 3, 0))) static void take_message(cyaml_log_t level, void *context,
							       const char *format, va_list args)
{
	struct capture *capture = context;

	if (level == CYAML_LOG_ERROR && capture->first[0] == '\0')
		vsnprintf(capture->first, sizeof(capture->first), format, args);
	capture->first[strcspn(capture->first, "\n")] = '\0';
}

static cyaml_config_t make_config(struct capture *capture)
{
	return (cyaml_config_t){
		.log_fn = capture == NULL ? NULL : take_message,
		.log_ctx = capture,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int crossvm_schema_load(const char *text, size_t bytes, struct crossvm_report *report,
			struct raw_system **system)
{
	struct capture capture = {{0}};
	cyaml_config_t config = make_config(&capture);
	cyaml_err_t error = cyaml_load_data((const uint8_t *)text, bytes, &config, &system_schema,
					    (cyaml_data_t **)system, NULL);

	if (error == CYAML_OK)
		return 0;
	if (error == CYAML_ERR_OOM)
		return -ENOMEM;
	crossvm_report_add(report, 0, "%s (%s); see docs/system-file.md",
			   crossvm_report_quote(capture.first).text, cyaml_strerror(error));
	return -EINVAL;
}

void crossvm_schema_free(struct raw_system *system)
{
	cyaml_config_t config = make_config(NULL);

	if (system != NULL)
		cyaml_free(&config, &system_schema, system, 0);
}
