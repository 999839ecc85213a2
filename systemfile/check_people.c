/* SPDX-License-Identifier: BSD-2-Clause */
/* The users and groups that a system file names. */
#include "systemfile/check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_OVERFLOW_ID 65534u /* of the kernel */

/* A number that is an id, in full; -1 has a meaning of its own and is none. */
static bool parse_id(const char *text, unsigned int *id)
{
	char *end = NULL;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || value >= (unsigned int)-1)
		return false;
	*id = (unsigned int)value;
	return true;
}

static int look_up_user(const char *name, uid_t *user)
{
	char buffer[4096];
	struct passwd entry;
	struct passwd *found = NULL;

	if (parse_id(name, user))
		return 0;
	if (getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
		return -ENOENT;
	*user = found->pw_uid;
	return 0;
}

static int look_up_group(const char *name, gid_t *group)
{
	char buffer[65536];
	struct group entry;
	struct group *found = NULL;

	if (parse_id(name, group))
		return 0;
	if (getgrnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
		return -ENOENT;
	*group = found->gr_gid;
	return 0;
}

/*
 * The id that the kernel shows for every user, or group, which the reader's user namespace does not
 * map. crossvmd in such a namespace, a container for example, could not tell them apart.
 *
 * @path: where the kernel says which it is; where there is no such file, it is the default.
 */
static unsigned int overflow_id(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int id = DEFAULT_OVERFLOW_ID;
	char text[32];

	if (file == NULL)
		return id;
	if (fgets(text, sizeof(text), file) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		(void)parse_id(text, &id);
	}
	fclose(file);
	return id;
}

/* kind: "user" or "group", which is also the key. */
static void report(struct crossvm_check *check, const char *list, size_t index, const char *kind,
		   const char *name, bool known, unsigned int id)
{
	size_t line = crossvm_outline_line(check->outline, "%s/%zu/%s", list, index, kind);

	if (!known)
		crossvm_report_add(check->report, line,
				   "%s %s is not known here; create it, or name another", kind,
				   crossvm_report_quote(name).text);
	else
		crossvm_report_add(
			check->report, line,
			"%s %s has the number %u, which the kernel shows for every %s that "
			"a user namespace does not know, so that anybody could be meant; "
			"create a %s for this, or name another",
			kind, crossvm_report_quote(name).text, id, kind, kind);
}

void crossvm_check_people(struct crossvm_check *check, const char *list, size_t index,
			  const char *user_name, const char *group_name, uid_t *user, gid_t *group)
{
	*user = (uid_t)-1;
	*group = (gid_t)-1;
	if (user_name != NULL) {
		bool known = look_up_user(user_name, user) == 0;

		if (!known || *user == overflow_id("/proc/sys/kernel/overflowuid"))
			report(check, list, index, "user", user_name, known, *user);
	}
	if (group_name != NULL) {
		bool known = look_up_group(group_name, group) == 0;

		if (!known || *group == overflow_id("/proc/sys/kernel/overflowgid"))
			report(check, list, index, "group", group_name, known, *group);
	}
}
