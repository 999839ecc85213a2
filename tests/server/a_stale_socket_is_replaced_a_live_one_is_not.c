/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/listener.h"
#include "tests/scratch.h"

static char path[64];

static int listen_here(struct listener *listener)
{
	return listener_open(
		&(struct listener_options){
			.kind = WIRE_STREAM, .path = path, .user = (uid_t)-1, .group = (gid_t)-1},
		listener);
}

static int connect_here(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, sizeof(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void a_live_one_is_left_alone(void **state)
{
	struct listener first, second;
	int fd;

	(void)state;
	assert_int_equal(listen_here(&first), 0);
	assert_int_equal(listen_here(&second), -EADDRINUSE);
	assert_int_equal(second.fd, -1);
	fd = connect_here();
	assert_true(fd >= 0);
	close(fd);
	listener_close(&first);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_stale_one_is_replaced(void **state)
{
	struct listener first, second;
	int fd;

	(void)state;
	assert_int_equal(listen_here(&first), 0);
	close(first.fd); /* as when a process dies */
	assert_int_equal(listen_here(&second), 0);
	fd = connect_here();
	assert_true(fd >= 0);
	close(fd);
	listener_close(&second);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_somebody_else_put_there_stays(void **state)
{
	struct listener first, second;

	(void)state;
	assert_int_equal(listen_here(&first), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(listen_here(&second), 0);
	listener_close(&first);
	assert_int_equal(access(path, F_OK), 0);
	listener_close(&second);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_file_is_never_removed(void **state)
{
	struct listener listener;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "data", 4), 4);
	close(fd);
	assert_int_equal(listen_here(&listener), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	struct listener listener;
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(
		listener_open(&(struct listener_options){.kind = WIRE_STREAM, .path = longer},
			      &listener),
		-ENAMETOOLONG);
}

/* A process may die between accepting a client and writing down its descriptor. */
static void an_accepted_client_is_recognised(void **state)
{
	struct listener listener;
	struct peer peer;
	int client, accepted, other[2], tcp;

	(void)state;
	assert_int_equal(listen_here(&listener), 0);
	assert_int_equal(listener_accept(&listener), -EAGAIN);
	client = connect_here();
	accepted = listener_accept(&listener);
	assert_true(accepted >= 0);
	assert_int_equal(peer_read(accepted, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	peer_free(&peer);
	assert_true(listener_accepted(&listener, accepted));
	assert_false(listener_accepted(&listener, client));
	assert_false(listener_accepted(&listener, listener.fd));
	assert_false(listener_accepted(&listener, STDIN_FILENO));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_false(listener_accepted(&listener, other[0]));
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_false(listener_accepted(&listener, tcp));
	assert_false(listener_accepted(&listener, -1));
	close(tcp);
	close(other[0]);
	close(other[1]);
	close(client);
	close(accepted);
	listener_close(&listener);
}

static mode_t mode_for(uid_t user, gid_t group, mode_t mode)
{
	const struct listener_options options = {
		.kind = WIRE_PACKETS, .path = path, .user = user, .group = group, .mode = mode};
	struct listener listener;
	struct stat status;

	assert_int_equal(listener_open(&options, &listener), 0);
	assert_int_equal(stat(path, &status), 0);
	listener_close(&listener);
	if (geteuid() == 0) {
		assert_int_equal(status.st_uid, user == (uid_t)-1 ? 0 : user);
		assert_int_equal(status.st_gid, group == (gid_t)-1 ? getegid() : group);
	}
	return status.st_mode & 0777;
}

/* It is given to whom it is for; where that is not allowed, it is open to all, who are then checked. */
static void the_socket_is_as_open_as_it_must_be(void **state)
{
	const bool may_give = geteuid() == 0;

	(void)state;
	assert_int_equal(mode_for((uid_t)-1, (gid_t)-1, 0), 0600);
	assert_int_equal(mode_for((uid_t)-1, 1235, 0), may_give ? 0660 : 0666);
	assert_int_equal(mode_for(1234, (gid_t)-1, 0), may_give ? 0600 : 0666);
	assert_int_equal(mode_for(1234, 1235, 0), may_give ? 0660 : 0666);
	assert_int_equal(mode_for(geteuid(), getegid(), 0), 0660);
	assert_int_equal(mode_for((uid_t)-1, (gid_t)-1, 0640), 0640);
	assert_int_equal(mode_for(1234, 1235, 0640), 0640);
}

static int make_directory(void **state)
{
	char directory[SCRATCH_BYTES];

	(void)state;
	scratch_make(directory);
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_live_one_is_left_alone),
		cmocka_unit_test(a_stale_one_is_replaced),
		cmocka_unit_test(what_somebody_else_put_there_stays),
		cmocka_unit_test(a_file_is_never_removed),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
		cmocka_unit_test(an_accepted_client_is_recognised),
		cmocka_unit_test(the_socket_is_as_open_as_it_must_be),
	};

	return cmocka_run_group_tests(tests, make_directory, NULL);
}
