/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes of other users and groups connect. That takes root; without, the test is skipped. */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/listener.h"
#include "tests/scratch.h"

#define USER  54321
#define GROUP 54322

static char path[64];

/* Connect as somebody else; the process stays until it is disconnected or told to go. */
static pid_t connect_as(uid_t user, gid_t group, gid_t extra_group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const pid_t pid = fork();
	char byte;
	int fd;

	if (pid)
		return pid;
	memcpy(address.sun_path, path, sizeof(path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (setgroups(1, &extra_group) || setgid(group) || setuid(user) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		_exit(1);
	_exit(read(fd, &byte, 1) == 1 ? 0 : 2);
}

enum verdict {
	ADMITTED,
	REFUSED,  /* by peer_is() */
	KEPT_OUT, /* by the socket's mode */
};

/* What becomes of such a process. */
static enum verdict verdict_on(const struct listener *listener, uid_t user, gid_t group,
			       gid_t extra_group)
{
	const struct peer_rules rules = peer_rules_read();
	const pid_t pid = connect_as(user, group, extra_group);
	struct peer peer;
	bool admitted;
	int fd, status;

	assert_true(pid > 0);
	do {
		fd = listener_accept(listener);
	} while (fd == -EAGAIN && waitpid(pid, &status, WNOHANG) == 0);
	if (fd == -EAGAIN)
		return KEPT_OUT;
	assert_int_equal(peer_read(fd, &peer), 0);
	assert_int_equal(peer.pid, pid);
	assert_int_equal(peer.uid, user);
	assert_int_equal(peer.gid, group);
	assert_int_equal(peer.num_groups, 1);
	assert_int_equal(peer.groups[0], extra_group);
	admitted = peer_is(&rules, &peer, USER, GROUP);
	peer_free(&peer);
	if (admitted)
		assert_int_equal(write(fd, "", 1), 1);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), admitted ? 0 : 2);
	return admitted ? ADMITTED : REFUSED;
}

static struct listener listen_for(uid_t user, gid_t group, mode_t mode)
{
	struct listener listener;

	assert_int_equal(listener_open(&(struct listener_options){.kind = WIRE_STREAM,
								  .path = path,
								  .user = user,
								  .group = group,
								  .mode = mode},
				       &listener),
			 0);
	return listener;
}

static void only_the_user_may(void **state)
{
	struct listener listener = listen_for(USER, (gid_t)-1, 0666);

	(void)state;
	assert_int_equal(verdict_on(&listener, USER, 1, 1), ADMITTED);
	assert_int_equal(verdict_on(&listener, USER + 1, 1, 1), REFUSED);
	assert_int_equal(verdict_on(&listener, 0, 0, 0), ADMITTED);
	listener_close(&listener);
}

static void only_the_group_may_first_or_further(void **state)
{
	struct listener listener = listen_for((uid_t)-1, GROUP, 0666);

	(void)state;
	assert_int_equal(verdict_on(&listener, USER + 1, GROUP, 1), ADMITTED);
	assert_int_equal(verdict_on(&listener, USER + 1, 1, GROUP), ADMITTED);
	assert_int_equal(verdict_on(&listener, USER + 1, 1, 2), REFUSED);
	listener_close(&listener);
}

static void the_mode_alone_keeps_others_out(void **state)
{
	struct listener listener = listen_for((uid_t)-1, GROUP, 0);

	(void)state;
	assert_int_equal(verdict_on(&listener, USER, GROUP, 1), ADMITTED);
	assert_int_equal(verdict_on(&listener, USER + 1, 1, 2), KEPT_OUT);
	listener_close(&listener);
	listener = listen_for(USER, (gid_t)-1, 0);
	assert_int_equal(verdict_on(&listener, USER, 1, 1), ADMITTED);
	assert_int_equal(verdict_on(&listener, USER + 1, GROUP, GROUP), KEPT_OUT);
	listener_close(&listener);
}

/* Users that a user namespace does not map all look like this one; so it is nobody. */
static void the_overflow_user_is_never_anybody(void **state)
{
	const struct peer_rules rules = {
		.own_user = 65534, .overflow_user = 65534, .overflow_group = 65533};
	gid_t groups[] = {1, GROUP, 65533};
	const struct peer nobody = {.uid = 65534, .gid = GROUP};
	const struct peer somebody = {.uid = USER, .gid = 65533};
	const struct peer member = {.uid = USER + 1, .gid = 1, .groups = groups, .num_groups = 3};
	const struct peer unknown = {.uid = (uid_t)-1, .gid = (gid_t)-1};

	(void)state;
	assert_false(peer_is(&rules, &nobody, 65534, GROUP));
	assert_false(peer_is(&rules, &somebody, (uid_t)-1, 65533));
	assert_true(peer_is(&rules, &somebody, USER, (gid_t)-1));
	assert_true(peer_is(&rules, &member, (uid_t)-1, GROUP));
	assert_false(peer_is(&rules, &member, (uid_t)-1, 65533));
	assert_false(peer_is(&rules, &member, (uid_t)-1, (gid_t)-1));
	assert_false(peer_is(&rules, &unknown, (uid_t)-1, (gid_t)-1));
}

static int make_directory(void **state)
{
	char directory[SCRATCH_BYTES];

	(void)state;
	scratch_make(directory);
	snprintf(path, sizeof(path), "%s/socket", directory);
	return chmod(directory, 0755);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_user_may),
		cmocka_unit_test(only_the_group_may_first_or_further),
		cmocka_unit_test(the_mode_alone_keeps_others_out),
		cmocka_unit_test(the_overflow_user_is_never_anybody),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: only root can be somebody else\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_directory, NULL);
}
