/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes in sysfs, read with checks. Where nothing else is said, functions fail without a
 * sentence: the caller knows what a missing attribute means.
 */
#ifndef CROSSVM_LIB_ATTRIBUTE_H
#define CROSSVM_LIB_ATTRIBUTE_H

#include <stddef.h>
#include <stdint.h>

/* Long enough for any path that is built here; longer ones are refused with -ENAMETOOLONG. */
#define CROSSVM_PATH_BYTES 512

/* Join with snprintf's format. @return 0 or -ENAMETOOLONG. */
__attribute__((format(printf, 2, 3))) int crossvm_path(char path[CROSSVM_PATH_BYTES],
						       const char *format, ...);

/* Read a text attribute without its newline. -EPROTO: longer than text, or has a NUL inside. */
int crossvm_attribute_text(const char *directory, const char *attribute, char *text, size_t bytes);

/* Read a number, decimal or 0x. */
int crossvm_attribute_number(const char *directory, const char *attribute, uint64_t *number);

/* The last part of what a symbolic link points to, such as the name of a device's driver. */
int crossvm_attribute_link(const char *directory, const char *attribute, char *text, size_t bytes);

/*
 * Call visit for each entry of a directory but those beginning with a dot, until it returns
 * something else than 0, which is then returned. Order: by name, numbers in it by value. A folder
 * that does not exist has no entries; one that cannot be read is -errno with a sentence.
 */
int crossvm_directory_visit(const char *directory, int (*visit)(void *context, const char *entry),
			    void *context);

#endif
