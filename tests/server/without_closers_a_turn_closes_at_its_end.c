/* SPDX-License-Identifier: BSD-2-Clause */
/* A server without a holder closes by itself, but not while a message is being applied. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/server.h"
#include "tests/scratch.h"

#define MAX_FDS 1024

static void say_nothing(void *context, enum crossvm_log_level level, const char *message)
{
	(void)context;
	(void)level;
	(void)message;
}

static struct server *server_start(void)
{
	static struct server server;
	const struct server_log log = {.function = say_nothing};

	assert_int_equal(server_create(&server, &log, 1 << 20, MAX_FDS), 0);
	return &server;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Two sockets, the first of which has closing_take_socket() called in a turn. */
struct parting {
	struct server *server;
	struct watch_owner owner;
	int ends[2];
	int number; /* of the first */
};

static unsigned int part(void *context, uint32_t events, unsigned int budget)
{
	struct parting *parting = context;

	(void)events;
	(void)budget;
	watches_remove(parting->server->watches, parting->ends[0]);
	assert_int_equal(write(parting->ends[0], "farewell", 8), 8);
	shutdown(parting->ends[0], SHUT_RDWR);
	closing_take_socket(&parting->server->closing, &parting->ends[0], 0);
	assert_true(is_open(parting->number));
	return 1;
}

static void what_was_taken_is_closed_then(void **state)
{
	struct parting parting = {.server = server_start()};
	char text[16];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, parting.ends), 0);
	parting.number = parting.ends[0];
	assert_int_equal(watches_set(parting.server->watches, parting.ends[0], EPOLLIN,
				     &parting.owner, part, &parting),
			 0);
	assert_int_equal(write(parting.ends[1], "unread", 6), 6);
	assert_int_equal(server_turn(parting.server, 0), 1);
	assert_int_equal(parting.ends[0], -1);
	assert_false(is_open(parting.number));
	assert_int_equal(closing_pending(&parting.server->closing), 0);
	/* What it left unread is no error to the other end, which can read what it was sent. */
	assert_int_equal(read(parting.ends[1], text, sizeof(text)), 8);
	assert_int_equal(read(parting.ends[1], text, sizeof(text)), 0);
	close(parting.ends[1]);
	server_destroy(parting.server);
}

/* Without even a struct closing: at once. */
static void without_a_place_to_note_it_is_closed_at_once(void **state)
{
	int ends[2], slot;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	slot = ends[1];
	closing_take(NULL, &slot, 0);
	assert_int_equal(slot, -1);
	assert_false(is_open(ends[1]));
	close(ends[0]);
}

/* A process died in the midst of it; the one that goes on opens descriptors first. */
static void a_process_that_goes_on_closes_nothing_else(void **state)
{
	struct server *server = server_start();
	int ends[2], unknown;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	server_seal(server);
	assert_int_equal(server_renew(server, false), 0);
	server_sort_out(server, NULL, NULL);
	closing_add(&server->closing, ends[1], 0);
	close(ends[1]); /* done, but not noted */
	assert_int_equal(server_renew(server, false), 0);
	assert_int_not_equal(watches_fd(server->watches), ends[1]);
	assert_int_not_equal(server->descriptors, ends[1]);
	unknown = dup(ends[0]); /* nobody marks it */
	server_sort_out(server, NULL, NULL);
	assert_false(is_open(ends[1]));
	assert_false(is_open(unknown));
	assert_true(is_open(ends[0]));
	assert_true(is_open(watches_fd(server->watches)));
	assert_true(is_open(server->descriptors));
	close(ends[0]);
	server_destroy(server);
}

/* However many descriptors there may be, the arena that was asked for is there. */
static void noting_descriptors_takes_nothing_from_others(void **state)
{
	const struct server_log log = {.function = say_nothing};
	struct server server;

	(void)state;
	assert_int_equal(server_create(&server, &log, 1 << 20, 1 << 16), 0);
	assert_non_null(arena_allocate(server.arena, 1000000));
	server_destroy(&server);
}

/* Clients. */

struct clients {
	struct acceptor acceptor;
	int fds[8];
	unsigned int count;
	int error;
};

static void accepted(void *context, int fd)
{
	struct clients *clients = context;

	clients->fds[clients->count++] = fd;
}

static void failed(void *context, int error)
{
	((struct clients *)context)->error = error;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* One that was accepted by a process which died before it could say so is given to whom it is for. */
static void clients_are_accepted_and_adopted(void **state)
{
	struct server *server = server_start();
	struct clients clients = {
		.acceptor = {.accepted = accepted, .failed = failed, .context = &clients}};
	char directory[SCRATCH_BYTES], path[SCRATCH_BYTES + 8];
	int first, second, lost;

	(void)state;
	scratch_make(directory);
	snprintf(path, sizeof(path), "%s/socket", directory);
	assert_int_equal(acceptor_open(&clients.acceptor, server,
				       &(struct listener_options){.kind = WIRE_STREAM,
								  .path = path,
								  .user = (uid_t)-1,
								  .group = (gid_t)-1}),
			 0);
	server_seal(server);
	assert_int_equal(server_renew(server, false), 0);
	server_sort_out(server, NULL, NULL);
	first = connect_to(path);
	assert_int_equal(server_turn(server, 0), 1);
	assert_int_equal(clients.count, 1);
	second = connect_to(path);
	lost = listener_accept(&clients.acceptor.listener);
	assert_int_equal(server_renew(server, true), 0);
	server_mark(server, clients.fds[0]);
	server_mark(server, first);
	server_mark(server, second);
	server_sort_out(server, NULL, NULL);
	assert_int_equal(clients.count, 2);
	assert_int_equal(clients.fds[1], lost);
	assert_true(is_open(clients.fds[0]));
	assert_true(is_open(lost));

	acceptor_close(&clients.acceptor);
	close(first);
	close(second);
	close(clients.fds[0]);
	close(clients.fds[1]);
	assert_int_equal(rmdir(directory), 0);
	server_destroy(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_taken_is_closed_then),
		cmocka_unit_test(without_a_place_to_note_it_is_closed_at_once),
		cmocka_unit_test(a_process_that_goes_on_closes_nothing_else),
		cmocka_unit_test(noting_descriptors_takes_nothing_from_others),
		cmocka_unit_test(clients_are_accepted_and_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
