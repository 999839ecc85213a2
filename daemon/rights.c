/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int choose_user(struct rights *rights, const char *user, const struct log *log)
{
	const char *name = user == NULL ? RIGHTS_DEFAULT_USER : user;
	const struct passwd *entry = getpwnam(name);

	if (entry != NULL) {
		rights->user = entry->pw_uid;
		rights->group = entry->pw_gid;
		return 0;
	}
	if (user != NULL && parse_number(user, &rights->user)) {
		rights->group = rights->user;
		return 0;
	}
	log_write(log, CROSSVM_LOG_ERROR,
		  "no user '%s' to run as; create it (useradd --system --no-create-home "
		  "--shell /usr/sbin/nologin %s), name another with --user, or stay root with "
		  "--user root",
		  name, name);
	return -ENOENT;
}

int rights_choose(struct rights *rights, const char *user, const char *group, const struct log *log)
{
	const struct group *entry;
	int error;

	*rights = (struct rights){.user = geteuid(), .group = getegid()};
	if (geteuid() != 0) {
		if (user == NULL && group == NULL)
			return 0;
		log_write(log, CROSSVM_LOG_ERROR,
			  "only root can become another user or group; start as root, or without "
			  "--user and --group");
		return -EPERM;
	}
	rights->drop = true;
	error = choose_user(rights, user, log);
	if (error || group == NULL)
		return error;
	entry = getgrnam(group);
	if (entry != NULL)
		rights->group = entry->gr_gid;
	else if (!parse_number(group, &rights->group)) {
		log_write(log, CROSSVM_LOG_ERROR,
			  "no group '%s' to run as; create it (groupadd --system %s), or name "
			  "another with --group",
			  group, group);
		return -ENOENT;
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

static int become(const struct rights *rights)
{
	if (!rights->drop)
		return 0;
	if (setgroups(0, NULL) != 0 ||
	    setresgid(rights->group, rights->group, rights->group) != 0 ||
	    setresuid(rights->user, rights->user, rights->user) != 0)
		return -errno;
	return geteuid() == rights->user && getegid() == rights->group ? 0 : -EPERM;
}

int rights_drop(const struct rights *rights, const struct log *log)
{
	int error = become(rights);

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

int rights_raise_descriptors(size_t needed, const struct log *log)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -errno;
	if (limit.rlim_cur >= needed)
		return 0;
	limit.rlim_cur = needed;
	if (limit.rlim_max < needed && geteuid() == 0)
		limit.rlim_max = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	log_write(log, CROSSVM_LOG_ERROR,
		  "this system can need %zu open files, but the limit is %ju; raise it (ulimit -n, "
		  "or LimitNOFILE= in the unit)",
		  needed, (uintmax_t)limit.rlim_max);
	return -EMFILE;
}
