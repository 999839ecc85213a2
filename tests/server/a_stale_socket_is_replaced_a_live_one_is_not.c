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

static char directory[] = "/tmp/crossvm-test-XXXXXX";
static char path[64];

static int listen_here(struct wire_listener *listener)
{
	return wire_listen(&(struct wire_listener_options){.kind = WIRE_STREAM,
							   .path = path,
							   .allowed_user = (uid_t)-1,
							   .allowed_group = (gid_t)-1},
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
	struct wire_listener first, second;
	int fd;

	(void)state;
	assert_int_equal(listen_here(&first), 0);
	assert_int_equal(listen_here(&second), -EADDRINUSE);
	assert_int_equal(second.fd, -1);
	fd = connect_here();
	assert_true(fd >= 0);
	close(fd);
	wire_listener_close(&first);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_stale_one_is_replaced(void **state)
{
	struct wire_listener first, second;
	int fd;

	(void)state;
	assert_int_equal(listen_here(&first), 0);
	close(first.fd); /* as when a process dies */
	assert_int_equal(listen_here(&second), 0);
	fd = connect_here();
	assert_true(fd >= 0);
	close(fd);
	wire_listener_close(&second);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_somebody_else_put_there_stays(void **state)
{
	struct wire_listener first, second;

	(void)state;
	assert_int_equal(listen_here(&first), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(listen_here(&second), 0);
	wire_listener_close(&first);
	assert_int_equal(access(path, F_OK), 0);
	wire_listener_close(&second);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_file_is_never_removed(void **state)
{
	struct wire_listener listener;
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
	struct wire_listener listener;
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(
		wire_listen(&(struct wire_listener_options){.kind = WIRE_STREAM, .path = longer},
			    &listener),
		-ENAMETOOLONG);
}

/* A process may die between accepting a client and writing down its descriptor. */
static void an_accepted_client_is_recognised(void **state)
{
	struct wire_listener listener;
	struct wire_peer peer;
	int client, accepted, other[2];

	(void)state;
	assert_int_equal(listen_here(&listener), 0);
	assert_int_equal(wire_accept(&listener, NULL), -EAGAIN);
	client = connect_here();
	accepted = wire_accept(&listener, &peer);
	assert_true(accepted >= 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	assert_true(wire_accepted_from(&listener, accepted));
	assert_false(wire_accepted_from(&listener, client));
	assert_false(wire_accepted_from(&listener, listener.fd));
	assert_false(wire_accepted_from(&listener, STDIN_FILENO));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_false(wire_accepted_from(&listener, other[0]));
	close(other[0]);
	close(other[1]);
	close(client);
	close(accepted);
	wire_listener_close(&listener);
}

static void the_socket_is_as_open_as_it_must_be(void **state)
{
	static const struct {
		uid_t user;
		gid_t group;
		mode_t mode, expected;
	} cases[] = {{(uid_t)-1, (gid_t)-1, 0, 0600},
		     {(uid_t)-1, 0, 0, 0660},
		     {1234, (gid_t)-1, 0, 0666},
		     {(uid_t)-1, (gid_t)-1, 0640, 0640}};
	struct wire_listener listener;
	struct stat status;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct wire_listener_options options = {.kind = WIRE_PACKETS,
							      .path = path,
							      .allowed_user = cases[i].user,
							      .allowed_group = cases[i].group,
							      .mode = cases[i].mode};

		if (cases[i].group == 0 && geteuid() != 0)
			continue; /* only root may give a file to that group */
		assert_int_equal(wire_listen(&options, &listener), 0);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, cases[i].expected);
		wire_listener_close(&listener);
	}
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
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
		cmocka_unit_test(a_live_one_is_left_alone),
		cmocka_unit_test(a_stale_one_is_replaced),
		cmocka_unit_test(what_somebody_else_put_there_stays),
		cmocka_unit_test(a_file_is_never_removed),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
		cmocka_unit_test(an_accepted_client_is_recognised),
		cmocka_unit_test(the_socket_is_as_open_as_it_must_be),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
