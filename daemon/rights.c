/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of 1000, which stand for all memory: a tenth of that more than the process that started this one. */
#define OOM_SCORE_MAX  1000L
#define OOM_SCORE_MORE 100L

#define LINE_BYTES 64 /* more than any has of those read here */

static bool parse_number(const char *text, unsigned int *number)
{
	char *end = NULL;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	*number = (unsigned int)value;
	return *end == '\0' && errno == 0 && value < (unsigned int)-1;
}

/* What a user namespace's uid_map or gid_map says. */
struct id_map {
	uint64_t ids; /* how many there are */
	bool has_id;  /* the one in question is among them */
};

/* A map has lines "first id here, first id outside, how many"; without one there is no namespace. */
static struct id_map read_map(const char *path, unsigned int id)
{
	struct id_map map = {0};
	unsigned long long first, count;
	FILE *file = fopen(path, "re");
	char line[LINE_BYTES];
	char *rest;

	if (file == NULL)
		return (struct id_map){.ids = UINT64_MAX, .has_id = true};
	while (fgets(line, sizeof(line), file) != NULL) {
		first = strtoull(line, &rest, 10);
		(void)strtoull(rest, &rest, 10);
		count = strtoull(rest, &rest, 10);
		map.ids += count;
		map.has_id |= id >= first && id - first < count;
	}
	fclose(file);
	return map;
}

static struct id_map map_of_user(uid_t user)
{
	return read_map("/proc/self/uid_map", user);
}

static struct id_map map_of_group(gid_t group)
{
	return read_map("/proc/self/gid_map", group);
}

static int say_no_user(const char *name, const struct log *log)
{
	log_write(log, CROSSVM_LOG_ERROR,
		  "no user '%s' to run as; create it (useradd --system --no-create-home "
		  "--shell /usr/sbin/nologin %s), name another with --user, or stay root with "
		  "--user root",
		  name, name);
	return -EINVAL;
}

static int choose_user(struct rights *rights, const char *name, const struct log *log)
{
	const struct passwd *entry = getpwnam(name);

	if (entry != NULL) {
		rights->user = entry->pw_uid;
		rights->group = entry->pw_gid;
	} else if (parse_number(name, &rights->user)) {
		rights->group = rights->user;
	} else {
		return say_no_user(name, log);
	}
	if (map_of_user(rights->user).has_id)
		return 0;
	log_write(log, CROSSVM_LOG_ERROR,
		  "user '%s' (%u) is none of this user namespace; name another with --user", name,
		  rights->user);
	return -EINVAL;
}

/* If nobody was named. In a user namespace there may be nobody but the user who made it. */
static int choose_default_user(struct rights *rights, const struct log *log)
{
	const struct passwd *entry = getpwnam(RIGHTS_DEFAULT_USER);

	if (entry == NULL && map_of_user(0).ids > 1)
		return say_no_user(RIGHTS_DEFAULT_USER, log);
	if (entry != NULL && map_of_user(entry->pw_uid).has_id) {
		rights->user = entry->pw_uid;
		rights->group = entry->pw_gid;
		return 0;
	}
	log_write(log, CROSSVM_LOG_WARNING,
		  "this user namespace has no user '" RIGHTS_DEFAULT_USER
		  "' to become: crossvmd stays user %u, and may do what the user outside may who "
		  "stands for it",
		  rights->user);
	return 0;
}

int rights_find_group(const char *name, gid_t *group, const struct log *log)
{
	const struct group *entry = getgrnam(name);

	if (entry != NULL) {
		*group = entry->gr_gid;
	} else if (!parse_number(name, group)) {
		log_write(log, CROSSVM_LOG_ERROR,
			  "no group '%s'; create it (groupadd --system %s), or name another", name,
			  name);
		return -EINVAL;
	}
	if (map_of_group(*group).has_id)
		return 0;
	log_write(log, CROSSVM_LOG_ERROR,
		  "group '%s' (%u) is none of this user namespace; name another", name, *group);
	return -EINVAL;
}

int rights_choose(struct rights *rights, const char *user, const char *group, const struct log *log)
{
	int error;

	*rights = (struct rights){.user = geteuid(), .group = getegid()};
	if (geteuid() != 0) {
		if (user == NULL && group == NULL)
			return 0;
		log_write(log, CROSSVM_LOG_ERROR,
			  "only root can become another user or group; start as root, or without "
			  "--user and --group");
		return -EINVAL;
	}
	rights->drop = true;
	error = user == NULL ? choose_default_user(rights, log) : choose_user(rights, user, log);
	if (error)
		return error;
	if (group != NULL)
		return rights_find_group(group, &rights->group, log);
	if (map_of_group(rights->group).has_id)
		return 0;
	log_write(log, CROSSVM_LOG_WARNING,
		  "this user namespace has no group %u to become: crossvmd stays in group %u",
		  rights->group, getegid());
	rights->group = getegid();
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

/* Whether this user namespace forbids setgroups(), as one must that an ordinary user has made. */
static bool groups_are_fixed(void)
{
	FILE *file = fopen("/proc/self/setgroups", "re");
	char answer[8] = "";
	bool fixed = file != NULL && fgets(answer, sizeof(answer), file) != NULL &&
		     strncmp(answer, "deny", 4) == 0;

	if (file != NULL)
		fclose(file);
	return fixed;
}

static int give_up_groups(const struct log *log)
{
	int error = setgroups(0, NULL) == 0 ? 0 : -errno;
	int count = getgroups(0, NULL);

	if (!error || count == 0)
		return 0;
	if (!groups_are_fixed())
		return error;
	log_write(
		log, CROSSVM_LOG_WARNING,
		"this user namespace does not allow to give up groups: crossvmd keeps the %d more "
		"that it was started with, and may do what they may",
		count);
	return 0;
}

static int set_group(gid_t group)
{
	gid_t real, effective, saved;

	if (getresgid(&real, &effective, &saved) == 0 && real == group && effective == group &&
	    saved == group)
		return 0;
	return setresgid(group, group, group) == 0 ? 0 : -errno;
}

static int set_user(uid_t user)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) == 0 && real == user && effective == user &&
	    saved == user)
		return 0;
	return setresuid(user, user, user) == 0 ? 0 : -errno;
}

static int become(const struct rights *rights, const struct log *log)
{
	int error = rights->drop ? give_up_groups(log) : 0;

	if (error)
		return error;
	/* Also without root: a real or saved id may be root's, and be taken up again. */
	error = set_group(rights->group);
	if (!error)
		error = set_user(rights->user);
	if (error)
		return error;
	return geteuid() == rights->user && getegid() == rights->group ? 0 : -EPERM;
}

int rights_drop(const struct rights *rights, const struct log *log)
{
	int error = become(rights, log);

	if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		error = -errno;
	if (!error)
		error = drop_capabilities();
	if (error)
		log_write(log, CROSSVM_LOG_ERROR,
			  "cannot become user %u, group %u: %s; start with the capabilities to "
			  "change them, or as that user",
			  rights->user, rights->group, strerror(-error));
	return error;
}

static void add_to_oom_score(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "r+e");
	char line[LINE_BYTES];
	long score;

	if (file == NULL)
		return;
	if (fgets(line, sizeof(line), file) != NULL) {
		score = strtol(line, NULL, 10) + OOM_SCORE_MORE;
		rewind(file);
		fprintf(file, "%ld", score > OOM_SCORE_MAX ? OOM_SCORE_MAX : score);
	}
	fclose(file);
}

void rights_be_killed_first(void)
{
	const int dumpable = prctl(PR_GET_DUMPABLE);

	/* Of a process that has become another user, the files in /proc stay root's. */
	prctl(PR_SET_DUMPABLE, 1);
	add_to_oom_score();
	if (dumpable != 1)
		prctl(PR_SET_DUMPABLE, 0);
}

/* The most that any process may be allowed, even by root. */
static rlim_t kernel_limit(void)
{
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	rlim_t limit = RLIM_INFINITY;
	char line[LINE_BYTES];

	if (file == NULL)
		return RLIM_INFINITY;
	if (fgets(line, sizeof(line), file) != NULL)
		limit = strtoull(line, NULL, 10);
	fclose(file);
	return limit;
}

int rights_set_descriptors(size_t needed, const struct log *log)
{
	const rlim_t most = kernel_limit();
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -errno;
	/* No more either: descriptors are numbered below the limit, and tables have that many places. */
	raised = limit;
	raised.rlim_cur = needed;
	if (raised.rlim_max < needed) /* with CAP_SYS_RESOURCE only */
		raised.rlim_max = needed;
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return 0;
	if (needed > most)
		log_write(
			log, CROSSVM_LOG_ERROR,
			"this system can need %zu open files, but the kernel allows a process %ju; "
			"raise that (sysctl fs.nr_open=%zu), then the limit (ulimit -n %zu, or "
			"LimitNOFILE=%zu in the unit)",
			needed, (uintmax_t)most, needed, needed, needed);
	else
		log_write(log, CROSSVM_LOG_ERROR,
			  "this system can need %zu open files, but the limit is %ju; raise it "
			  "(ulimit -n %zu as root, or LimitNOFILE=%zu in the unit)",
			  needed, (uintmax_t)limit.rlim_max, needed, needed);
	return -EMFILE;
}
