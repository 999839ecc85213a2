/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing JSON, a line to a document. Enough for this command, which never reads any, and so the
 * command for guests needs no library but libc.
 */
#ifndef CROSSVM_CLI_JSON_H
#define CROSSVM_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool started; /* something stands in the innermost object or array already */
};

/* key: NULL inside an array and at the top. */
void json_add_object(struct json *json, const char *key);
void json_add_array(struct json *json, const char *key);
/* Bytes that are not printable ASCII are escaped one by one. */
void json_add_string(struct json *json, const char *key, const char *value);
void json_add_number(struct json *json, const char *key, uint64_t value);
void json_add_bool(struct json *json, const char *key, bool value);
void json_end_object(struct json *json);
void json_end_array(struct json *json);

#endif
