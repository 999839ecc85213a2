/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users are looked up in the image's files directly: a static program has no name services.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/agent/agent.h"

static void add_group(struct agent_user *user, gid_t gid)
{
	if (user->num_groups < sizeof(user->groups) / sizeof(user->groups[0]))
		user->groups[user->num_groups++] = gid;
}

static void find_groups(struct agent_user *user)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *entry;

	add_group(user, user->gid);
	if (!file)
		return;
	while ((entry = fgetgrent(file)))
		for (char **member = entry->gr_mem; *member; member++)
			if (strcmp(*member, user->name) == 0 && entry->gr_gid != user->gid)
				add_group(user, entry->gr_gid);
	fclose(file);
}

int agent_find_user(const char *name, struct agent_user *user)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;
	int error = -ENOENT;

	if (!file)
		return -errno;
	while (error && (entry = fgetpwent(file))) {
		if (strcmp(entry->pw_name, name) != 0)
			continue;
		*user = (struct agent_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
		snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
		snprintf(user->shell, sizeof(user->shell), "%s", entry->pw_shell);
		error = 0;
	}
	fclose(file);
	if (!error)
		find_groups(user);
	return error;
}

int agent_become(const struct agent_user *user, const char *vm)
{
	if (setgroups(user->num_groups, user->groups) < 0 || setgid(user->gid) < 0 ||
	    setuid(user->uid) < 0)
		return -errno;
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", 1);
	setenv("HOME", user->home, 1);
	setenv("USER", user->name, 1);
	setenv("LOGNAME", user->name, 1);
	setenv("SHELL", user->shell, 1);
	setenv("TERM", "linux", 1);
	setenv("CROSSVM_VM", vm, 1);
	if (chdir(user->home) < 0 && chdir("/") < 0)
		return -errno;
	return 0;
}
