/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/json.h"

#include <inttypes.h>

static void put_text(struct json *json, const char *text)
{
	fputc('"', json->out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(json->out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(json->out, "\\u%04x", c);
		else
			fputc(c, json->out);
	}
	fputc('"', json->out);
}

/* What stands before any value. */
static void put_key(struct json *json, const char *key)
{
	if (json->started)
		fputs(", ", json->out);
	json->started = true;
	if (key) {
		put_text(json, key);
		fputs(": ", json->out);
	}
}

static void open_bracket(struct json *json, const char *key, char bracket)
{
	put_key(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->started = false;
}

static void close_bracket(struct json *json, char bracket)
{
	fputc(bracket, json->out);
	json->started = true;
	if (--json->depth == 0)
		fputc('\n', json->out);
}

void json_add_object(struct json *json, const char *key)
{
	open_bracket(json, key, '{');
}

void json_add_array(struct json *json, const char *key)
{
	open_bracket(json, key, '[');
}

void json_add_string(struct json *json, const char *key, const char *value)
{
	put_key(json, key);
	put_text(json, value);
}

void json_add_number(struct json *json, const char *key, uint64_t value)
{
	put_key(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_add_bool(struct json *json, const char *key, bool value)
{
	put_key(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_end_object(struct json *json)
{
	close_bracket(json, '}');
}

void json_end_array(struct json *json)
{
	close_bracket(json, ']');
}
