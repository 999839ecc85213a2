/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As root of a user namespace that has one user, as `unshare -U -r` and rootless containers make, there
 * is nobody to become and no group to give up: it keeps what it has, and says so. The tests run in one
 * namespace made by the user who runs this and, if that is root, in one of an ordinary user.
 */
#include "support.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ORDINARY 61001u
#define GROUP    61002u

static bool has_more_groups;

static void assert_status(pid_t pid, const char *expected)
{
	char path[64];
	char text[4096];
	size_t bytes;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	bytes = fread(text, 1, sizeof(text) - 1, file);
	text[bytes] = '\0';
	fclose(file);
	if (strstr(text, expected) == NULL)
		fail_msg("'%s' is not in %s", expected, text);
}

/* What can be given up is: capabilities, and any more to come. */
static void assert_served(struct daemon *daemon)
{
	struct component c = component_open(daemon, "data", "a", 0);
	pid_t worker = daemon_worker(daemon);

	component_close(&c);
	assert_status(daemon->pid, "CapPrm:\t0000000000000000\n");
	assert_status(worker, "CapPrm:\t0000000000000000\n");
	assert_status(worker, "CapEff:\t0000000000000000\n");
	assert_status(worker, "NoNewPrivs:\t1\n");
	if (has_more_groups)
		daemon_assert_log(daemon,
				  "this user namespace does not allow to give up groups: crossvmd "
				  "keeps the 1 more that it was started with");
	assert_int_equal(daemon_stop(daemon), 0);
	assert_return_code(rmdir(daemon->sockets), errno);
}

static void it_stays_the_only_user_there_is(void **state)
{
	struct daemon *daemon = *state;

	daemon->default_user = true;
	daemon_start(daemon, SYSTEM, NULL);
	daemon_assert_log(daemon, "this user namespace has no user 'crossvm' to become: crossvmd "
				  "stays user 0");
	assert_served(daemon);
}

static void it_stays_root_if_told_to(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, SYSTEM, NULL); /* with --user root */
	assert_served(daemon);
}

/* Who asks for a user does not want to run as another. */
static void a_user_or_group_that_is_not_there_is_refused(void **state)
{
	struct daemon *daemon = *state;

	assert_int_equal(daemon_run(daemon, SYSTEM, "--user", "61000", NULL), 2);
	daemon_assert_log(daemon, "user '61000' (61000) is none of this user namespace");
	assert_int_equal(daemon_run(daemon, SYSTEM, "--group", "61000", NULL), 2);
	daemon_assert_log(daemon, "group '61000' (61000) is none of this user namespace");
	assert_int_equal(daemon_run(daemon, SYSTEM, "--socket-group", "61000", NULL), 2);
	assert_int_equal(access(daemon->sockets, F_OK), -1);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(it_stays_the_only_user_there_is),
	DAEMON_TEST(it_stays_root_if_told_to),
	DAEMON_TEST(a_user_or_group_that_is_not_there_is_refused),
};

static bool write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/* As unshare -U -r. */
static bool enter_namespace(void)
{
	char user[32], group[32];

	snprintf(user, sizeof(user), "0 %u 1\n", geteuid());
	snprintf(group, sizeof(group), "0 %u 1\n", getegid());
	return unshare(CLONE_NEWUSER) == 0 && write_map("/proc/self/setgroups", "deny") &&
	       write_map("/proc/self/uid_map", user) && write_map("/proc/self/gid_map", group);
}

/* @return what the tests return there. */
static int run_in_namespace(bool as_ordinary_user, int argc, char **argv)
{
	const gid_t group = GROUP;
	pid_t child = fork();
	int status;

	if (child < 0)
		return 1;
	if (child == 0) {
		if (as_ordinary_user &&
		    (setgroups(1, &group) != 0 || setresgid(ORDINARY, ORDINARY, ORDINARY) != 0 ||
		     setresuid(ORDINARY, ORDINARY, ORDINARY) != 0 ||
		     /* else /proc/self stays root's */
		     prctl(PR_SET_DUMPABLE, 1) != 0))
			exit(1);
		has_more_groups = as_ordinary_user;
		if (!enter_namespace()) {
			print_message("this machine lets user %u make no user namespace (%s): "
				      "how the daemon runs in one is NOT TESTED\n",
				      geteuid(), strerror(errno));
			exit(0);
		}
		exit(tests_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0])));
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	int failed = run_in_namespace(false, argc, argv);

	if (geteuid() == 0)
		failed |= run_in_namespace(true, argc, argv);
	return failed;
}
