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

#define USER  54321
#define GROUP 54322

static char directory[] = "/tmp/crossvm-test-XXXXXX";
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

/* What wire_accept() says of such a process. */
static int accept_from(const struct wire_listener *listener, uid_t user, gid_t group,
		       gid_t extra_group)
{
	const pid_t pid = connect_as(user, group, extra_group);
	struct wire_peer peer;
	int fd, status;

	assert_true(pid > 0);
	do {
		fd = wire_accept(listener, &peer);
	} while (fd == -EAGAIN && waitpid(pid, &status, WNOHANG) == 0);
	if (fd == -EAGAIN)
		return -ECONNREFUSED; /* the socket's mode kept it out */
	assert_int_equal(peer.pid, pid);
	assert_int_equal(peer.uid, user);
	if (fd >= 0) {
		assert_int_equal(write(fd, "", 1), 1);
		close(fd);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), fd >= 0 ? 0 : 2);
	return fd >= 0 ? 0 : fd;
}

static struct wire_listener listen_for(uid_t user, gid_t group, mode_t mode)
{
	struct wire_listener listener;

	assert_int_equal(wire_listen(&(struct wire_listener_options){.kind = WIRE_STREAM,
								     .path = path,
								     .allowed_user = user,
								     .allowed_group = group,
								     .mode = mode},
				     &listener),
			 0);
	return listener;
}

static void only_the_user_may(void **state)
{
	struct wire_listener listener = listen_for(USER, (gid_t)-1, 0);

	(void)state;
	assert_int_equal(accept_from(&listener, USER, 1, 1), 0);
	assert_int_equal(accept_from(&listener, USER + 1, 1, 1), -EACCES);
	assert_int_equal(accept_from(&listener, 0, 0, 0), 0);
	wire_listener_close(&listener);
}

static void only_the_group_may_first_or_further(void **state)
{
	struct wire_listener listener = listen_for((uid_t)-1, GROUP, 0666);

	(void)state;
	assert_int_equal(accept_from(&listener, USER, GROUP, 1), 0);
	assert_int_equal(accept_from(&listener, USER, 1, GROUP), 0);
	assert_int_equal(accept_from(&listener, USER, 1, 2), -EACCES);
	wire_listener_close(&listener);
}

static void the_mode_alone_keeps_others_out(void **state)
{
	struct wire_listener listener = listen_for((uid_t)-1, GROUP, 0);

	(void)state;
	assert_int_equal(accept_from(&listener, USER, GROUP, 1), 0);
	assert_int_equal(accept_from(&listener, USER, 1, 2), -ECONNREFUSED);
	wire_listener_close(&listener);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chmod(directory, 0755))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_user_may),
		cmocka_unit_test(only_the_group_may_first_or_further),
		cmocka_unit_test(the_mode_alone_keeps_others_out),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: only root can be somebody else\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
