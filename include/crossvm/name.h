/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule for names: of VMs, of components, of connections. A name is identity, stands in the names of
 * sockets and of files, and is shown to people.
 *
 * Functions may be called from any thread and from signal handlers.
 */
#ifndef CROSSVM_NAME_H
#define CROSSVM_NAME_H

#include <string.h>

#include <crossvm/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CROSSVM_NAME_CHARACTERS                                \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
	"0123456789_.-"

/*
 * What is wrong with a name, as the end of a sentence that begins with "the name"; NULL if nothing is.
 *
 * @name: ends with NUL; of a longer one than CROSSVM_NAME_MAX bytes, no more than CROSSVM_NAME_BYTES are
 *   read.
 */
static inline const char *crossvm_name_wrong(const char *name)
{
	if (name[0] == '\0')
		return "is empty";
	if (memchr(name, '\0', CROSSVM_NAME_BYTES) == NULL)
		return "is longer than 47 bytes";
	if (name[0] == '.' || name[0] == '-')
		return "begins with '.' or '-'";
	if (name[strspn(name, CROSSVM_NAME_CHARACTERS)] != '\0')
		return "has other bytes than letters, digits, '_', '.' and '-'";
	return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
