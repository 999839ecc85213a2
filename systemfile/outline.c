/* SPDX-License-Identifier: BSD-2-Clause */
#include "systemfile/outline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define MAX_DEPTH 16u

struct builder {
	struct crossvm_report *report;
	struct crossvm_outline *stack[MAX_DEPTH];
	size_t depth;
	char *key; /* read, its value is yet to come */
	size_t key_line;
	struct crossvm_outline *root;
	bool second_document;
};

void crossvm_outline_free(struct crossvm_outline *outline)
{
	if (outline == NULL)
		return;
	for (size_t i = 0; i < outline->num_children; i++)
		crossvm_outline_free(outline->children[i]);
	free(outline->children);
	free(outline->key);
	free(outline->value);
	free(outline);
}

static struct crossvm_outline *top(const struct builder *builder)
{
	return builder->depth == 0 ? NULL : builder->stack[builder->depth - 1];
}

/* Room for twice as many whenever it is full, so that a long list is copied about once in all. */
static int add_child(struct crossvm_outline *parent, struct crossvm_outline *child)
{
	size_t count = parent->num_children;

	if ((count & (count - 1)) == 0) { /* 0 or a power of two: it is full */
		struct crossvm_outline **children =
			reallocarray(parent->children, count == 0 ? 1 : 2 * count,
				     sizeof(struct crossvm_outline *));

		if (children == NULL)
			return -ENOMEM;
		parent->children = children;
	}
	parent->children[parent->num_children++] = child;
	return 0;
}

/* Hang a new node where the text has arrived. Takes the pending key. */
static struct crossvm_outline *add_node(struct builder *builder, enum crossvm_outline_type type,
					size_t line)
{
	struct crossvm_outline *parent = top(builder);
	struct crossvm_outline *node = calloc(1, sizeof(*node));

	if (node == NULL)
		return NULL;
	if (parent == NULL) {
		builder->root = node;
	} else if (add_child(parent, node) != 0) {
		free(node);
		return NULL;
	}
	node->type = type;
	node->line = builder->key == NULL ? line : builder->key_line;
	node->key = builder->key;
	builder->key = NULL;
	return node;
}

static bool expects_key(const struct builder *builder)
{
	const struct crossvm_outline *parent = top(builder);

	return parent != NULL && parent->type == CROSSVM_OUTLINE_MAPPING && builder->key == NULL;
}

static int add_scalar(struct builder *builder, const yaml_event_t *event, size_t line)
{
	const char *text = (const char *)event->data.scalar.value;
	struct crossvm_outline *node;

	if (strlen(text) != event->data.scalar.length) {
		crossvm_report_add(builder->report, line, "a NUL byte in a value; remove it");
		return -EINVAL;
	}
	if (expects_key(builder)) {
		builder->key = strdup(text);
		builder->key_line = line;
		return builder->key == NULL ? -ENOMEM : 0;
	}
	node = add_node(builder, CROSSVM_OUTLINE_SCALAR, line);
	if (node == NULL)
		return -ENOMEM;
	node->value = strdup(text);
	return node->value == NULL ? -ENOMEM : 0;
}

static int open_node(struct builder *builder, enum crossvm_outline_type type, size_t line)
{
	struct crossvm_outline *node;

	if (expects_key(builder)) {
		crossvm_report_add(builder->report, line,
				   "a list or mapping where a key should be; write 'key: value'");
		return -EINVAL;
	}
	if (builder->depth == MAX_DEPTH) {
		crossvm_report_add(builder->report, line,
				   "nested more than %u deep; a system file needs four", MAX_DEPTH);
		return -EINVAL;
	}
	node = add_node(builder, type, line);
	if (node == NULL)
		return -ENOMEM;
	builder->stack[builder->depth++] = node;
	return 0;
}

/* Anchors and tags: on everything that can carry them. */
static int refuse_extras(struct builder *builder, const yaml_event_t *event, size_t line)
{
	const yaml_char_t *anchor = NULL;
	const yaml_char_t *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor != NULL || event->type == YAML_ALIAS_EVENT) {
		crossvm_report_add(builder->report, line,
				   "anchors (&) and aliases (*) are not understood; write the "
				   "value out, or in quotes if it begins so");
		return -EINVAL;
	}
	if (tag != NULL) {
		crossvm_report_add(builder->report, line,
				   "tags (!) are not understood; remove it, or put the value in "
				   "quotes if it begins so");
		return -EINVAL;
	}
	return 0;
}

static int take_event(struct builder *builder, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;
	int error = refuse_extras(builder, event, line);

	if (error)
		return error;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (builder->second_document) {
			crossvm_report_add(builder->report, line,
					   "a second document begins; put all into one");
			return -EINVAL;
		}
		builder->second_document = true;
		return 0;
	case YAML_SCALAR_EVENT:
		return add_scalar(builder, event, line);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(builder, CROSSVM_OUTLINE_SEQUENCE, line);
	case YAML_MAPPING_START_EVENT:
		return open_node(builder, CROSSVM_OUTLINE_MAPPING, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder->depth--;
		return 0;
	default:
		return 0;
	}
}

static size_t line_of_offset(const char *text, size_t bytes, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < bytes && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static void report_syntax(const yaml_parser_t *parser, const char *text, size_t bytes,
			  struct crossvm_report *report)
{
	const char *problem = parser->problem == NULL ? "unreadable" : parser->problem;

	if (parser->error == YAML_READER_ERROR)
		crossvm_report_add(report, line_of_offset(text, bytes, parser->problem_offset),
				   "not a text in UTF-8 (%s); a system file is YAML, see "
				   "docs/system-file.md",
				   problem);
	else
		crossvm_report_add(report, parser->problem_mark.line + 1,
				   "not YAML: %s%s%s; look at the indentation, colons and quotes "
				   "here and in the line before",
				   parser->context == NULL ? "" : parser->context,
				   parser->context == NULL ? "" : ": ", problem);
}

static int read_events(yaml_parser_t *parser, struct builder *builder, const char *text,
		       size_t bytes)
{
	bool end = false;
	int error = 0;

	while (!end && !error) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event)) {
			if (parser->error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			report_syntax(parser, text, bytes, builder->report);
			return -EINVAL;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		error = take_event(builder, &event);
		yaml_event_delete(&event);
	}
	return error;
}

int crossvm_outline_read(const char *text, size_t bytes, struct crossvm_report *report,
			 struct crossvm_outline **outline)
{
	struct builder builder = {.report = report};
	yaml_parser_t parser;
	int error;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	error = read_events(&parser, &builder, text, bytes);
	yaml_parser_delete(&parser);
	free(builder.key);
	if (!error && builder.root == NULL) {
		crossvm_report_add(report, 0,
				   "the file is empty; it needs vms or components, and "
				   "connections, see docs/system-file.md");
		error = -EINVAL;
	}
	if (error) {
		crossvm_outline_free(builder.root);
		return error;
	}
	*outline = builder.root;
	return 0;
}

static const struct crossvm_outline *find_child(const struct crossvm_outline *node,
						const char *step)
{
	if (node->type == CROSSVM_OUTLINE_SEQUENCE) {
		unsigned long i = strtoul(step, NULL, 10);

		return i < node->num_children ? node->children[i] : NULL;
	}
	for (size_t i = 0; i < node->num_children; i++)
		if (strcmp(node->children[i]->key, step) == 0)
			return node->children[i];
	return NULL;
}

size_t crossvm_outline_line(const struct crossvm_outline *outline, const char *path, ...)
{
	char steps[128];
	char *rest = NULL;
	va_list args;

	va_start(args, path);
	vsnprintf(steps, sizeof(steps), path, args);
	va_end(args);
	for (char *step = strtok_r(steps, "/", &rest); step != NULL;
	     step = strtok_r(NULL, "/", &rest)) {
		const struct crossvm_outline *child = find_child(outline, step);

		if (child == NULL)
			break;
		outline = child;
	}
	return outline->line;
}
