/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outline of a YAML text: its mappings, sequences and scalars with the lines they stand in.
 * libcyaml loads the values but does not say where they came from; messages need the lines, and
 * libyaml, on which libcyaml stands, has them. What no system file needs is refused here already:
 * anchors and aliases (with which a small text can grow without bound), tags, a second document,
 * deep nesting.
 */
#ifndef CROSSVM_SYSTEMFILE_OUTLINE_H
#define CROSSVM_SYSTEMFILE_OUTLINE_H

#include <stddef.h>

#include "systemfile/report.h"

enum crossvm_outline_type {
	CROSSVM_OUTLINE_SCALAR,
	CROSSVM_OUTLINE_SEQUENCE,
	CROSSVM_OUTLINE_MAPPING,
};

struct crossvm_outline {
	enum crossvm_outline_type type;
	size_t line;                       /* of its key, where it has one */
	char *key;                         /* in a mapping; otherwise NULL */
	char *value;                       /* of a scalar; otherwise NULL */
	struct crossvm_outline **children; /* of a list or mapping, in their order */
	size_t num_children;
};

/* @return 0, -EINVAL with messages in report, or -ENOMEM. */
int crossvm_outline_read(const char *text, size_t bytes, struct crossvm_report *report,
			 struct crossvm_outline **outline);
void crossvm_outline_free(struct crossvm_outline *outline);

/*
 * The line of what a path names, such as "connections/3/members/0/access"; where the file lacks the
 * end of it, the line of the part that it has. An entry of a list is found at once, however long the
 * list is; a key is searched for among the keys of its mapping.
 */
__attribute__((format(printf, 2, 3))) size_t
crossvm_outline_line(const struct crossvm_outline *outline, const char *path, ...);

#endif
