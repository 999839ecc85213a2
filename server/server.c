/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/guard.h"
#include "server/internal.h"

static const char eventfd_link[] = "anon_inode:[eventfd]";

static unsigned int tombstones_ready(void *context, uint32_t events, unsigned int budget)
{
	struct server *server = context;

	(void)events;
	(void)budget;
	/* There are descriptors again: for who waits to be accepted or to be read from. */
	if (closing_reap(&server->closing))
		watches_unpause(server->watches);
	return 1;
}

static int watch_own(struct server *server)
{
	if (!server->closing.closers)
		return 0;
	return watches_set(server->watches, server->closing.done, EPOLLIN, &server->owner,
			   tombstones_ready, server);
}

static int open_descriptors(struct server *server)
{
	server->descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->descriptors >= 0)
		return 0;
	server_log(&server->log, CROSSVM_LOG_ERROR,
		   "cannot open /proc/self/fd: %s; is /proc there?", strerror(errno));
	return -errno;
}

static int create(struct server *server, size_t arena_bytes)
{
	int error;

	server->arena = arena_create(arena_bytes + closing_bytes(server->max_fds));
	if (server->arena)
		server->state = arena_allocate(server->arena, sizeof(*server->state));
	server->permanent = calloc(server->max_fds / 8 + 1, 1);
	server->known = calloc(server->max_fds / 8 + 1, 1);
	if (!server->state || !server->permanent || !server->known)
		return -ENOMEM;
	error = closing_create(&server->closing, server->arena, server->max_fds);
	if (error)
		return error;
	server->watches = watches_create();
	if (!server->watches)
		return -errno;
	error = open_descriptors(server);
	atomic_store(&server->state->epoll, watches_fd(server->watches));
	atomic_store(&server->state->descriptors, server->descriptors);
	return error;
}

int server_create(struct server *server, const struct server_log *log, size_t arena_bytes,
		  size_t max_fds)
{
	int error;

	*server = (struct server){.log = *log,
				  .rules = peer_rules_read(),
				  .max_fds = max_fds,
				  .descriptors = -1,
				  .signals = -1,
				  .standstill = -1,
				  .closing = closing_none};
	error = create(server, arena_bytes);
	if (error)
		server_log(log, CROSSVM_LOG_ERROR, "cannot make what a server needs: %s",
			   strerror(-error));
	return error;
}

void server_destroy(struct server *server)
{
	closing_destroy(&server->closing);
	watches_destroy(server->watches);
	if (server->descriptors >= 0)
		close(server->descriptors);
	arena_destroy(server->arena);
	free(server->permanent);
	free(server->known);
	if (server->signals >= 0)
		close(server->signals);
	if (server->standstill >= 0)
		close(server->standstill);
	*server = (struct server){
		.descriptors = -1, .signals = -1, .standstill = -1, .closing = closing_none};
}

/* Somebody has taken memory away that we share with it, and there was none to replace it. */
__attribute__((noinline)) static void tell_guard_notes(struct server *server)
{
	struct guard_note note;

	while (guard_take_note(&note))
		log_limited(
			&server->log, &server->state->guard_limit, CROSSVM_LOG_ERROR,
			"%zu bytes of memory shared with a client cannot be had: the client has "
			"freed them, and the machine has no more; this process goes on without "
			"them",
			note.bytes);
}

static bool tombstones_will_tell(const struct server *server)
{
	return server->closing.closers && closing_pending(&server->closing);
}

int server_turn(struct server *server, int timeout_ms)
{
	const bool paused = watches_are_paused(server->watches);
	const int served = watches_turn(server->watches, timeout_ms);
	const bool closed = closing_flush(&server->closing);

	if (guard_has_notes())
		tell_guard_notes(server);
	/*
	 * While descriptors wait to be closed, the tombstones tell when there are some again. Without that,
	 * try when others were served. What was paused in this turn waits for the next, or it would never.
	 */
	if (closed || (paused && served > 0 && !tombstones_will_tell(server)))
		watches_unpause(server->watches);
	return served;
}

bool server_is_eventfd(const struct server *server, int fd)
{
	char number[16];
	char link[sizeof(eventfd_link)];
	ssize_t length;

	snprintf(number, sizeof(number), "%d", fd);
	length = readlinkat(server->descriptors, number, link, sizeof(link));
	return length == (ssize_t)sizeof(eventfd_link) - 1 &&
	       !memcmp(link, eventfd_link, sizeof(eventfd_link) - 1);
}

/* Whose message is applied. */

static uint64_t message_of(const struct wire *wire)
{
	return atomic_load_explicit(&wire->progress, memory_order_relaxed);
}

void server_serve(struct server *server, const struct wire *wire)
{
	atomic_store_explicit(&server->state->serving, arena_offset(server->arena, wire),
			      memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

void server_served(struct server *server)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&server->state->serving, 0, memory_order_release);
}

static uint64_t serving(const struct server *server)
{
	return atomic_load_explicit(&server->state->serving, memory_order_relaxed);
}

uint64_t server_message(const struct server *server)
{
	const uint64_t offset = serving(server);

	return offset ? message_of((const struct wire *)(const void *)((const char *)server->arena +
								       offset))
		      : 0;
}

/* After a crash. */
static void note_crash(struct server *server)
{
	struct server_state *state = server->state;
	const uint64_t wire = serving(server);
	const uint64_t message = server_message(server);

	if (!wire)
		return;
	if (wire != state->crash_wire || message != state->crash_message)
		state->crashes = 0;
	state->crash_wire = wire;
	state->crash_message = message;
	state->crashes++;
}

bool server_blames(const struct server *server, const struct wire *wire)
{
	const struct server_state *state = server->state;

	return state->crashes >= SERVER_MAX_CRASHES &&
	       state->crash_wire == arena_offset(server->arena, wire) &&
	       state->crash_message == message_of(wire);
}

/* Going on after another process. */

static void set_bit(uint8_t *bits, int fd, bool set)
{
	if (set)
		bits[fd / 8] |= (uint8_t)(1u << (fd % 8));
	else
		bits[fd / 8] &= (uint8_t) ~(1u << (fd % 8));
}

static bool has_bit(const uint8_t *bits, int fd)
{
	return bits[fd / 8] & (1u << (fd % 8));
}

void server_seal(struct server *server)
{
	watches_close(server->watches);
	close(server->descriptors);
	server->descriptors = -1;
	atomic_store(&server->state->epoll, -1);
	atomic_store(&server->state->descriptors, -1);
	for (size_t fd = 0; fd < server->max_fds; fd++)
		set_bit(server->permanent, (int)fd, fcntl((int)fd, F_GETFD) >= 0);
}

void server_mark(void *context, int fd)
{
	struct server *server = context;

	if (fd < 0 || (size_t)fd >= server->max_fds)
		return;
	set_bit(server->known, fd, true);
	if (fd > server->highest_known)
		server->highest_known = fd;
}

/*
 * Record one's own descriptor in place of the process's before, which is closed. A process that dies in
 * between leaves a slot whose descriptor is marked already, and stays open until server_sort_out().
 */
static void replace_own(struct server *server, _Atomic int *slot, int fd)
{
	closing_add(&server->closing, atomic_load(slot), CLOSING_OWNER_UNKNOWN);
	atomic_store(slot, fd);
}

int server_renew(struct server *server, bool crashed)
{
	int error = arena_populate(server->arena);

	if (!error)
		error = closing_renew(&server->closing);
	if (!error)
		error = watches_renew(server->watches);
	if (!error)
		error = open_descriptors(server);
	if (error)
		return error;
	replace_own(server, &server->state->epoll, watches_fd(server->watches));
	replace_own(server, &server->state->descriptors, server->descriptors);
	server->rules.own_user = geteuid();
	if (crashed)
		note_crash(server);
	atomic_store(&server->state->serving, 0);
	memcpy(server->known, server->permanent, server->max_fds / 8 + 1);
	server->highest_known = STDERR_FILENO;
	server_mark(server, server->state->epoll);
	server_mark(server, server->state->descriptors);
	error = watch_own(server);
	if (!error)
		acceptors_renew(server);
	return error;
}

/* Descriptors are numbered from the lowest free one: far above the highest known there are none. */
#define MAX_GAP 512

void server_sort_out(struct server *server, bool (*known)(void *context, int fd), void *context)
{
	int gap = 0;

	closing_resume(&server->closing);
	for (int fd = STDERR_FILENO + 1; (size_t)fd < server->max_fds && gap < MAX_GAP; fd++) {
		if (has_bit(server->known, fd) || closing_has(&server->closing, fd)) {
			gap = 0;
		} else if (fcntl(fd, F_GETFD) < 0) {
			gap += fd > server->highest_known;
		} else {
			gap = 0;
			if (!acceptors_adopt(server, fd) && !(known && known(context, fd)))
				closing_add(&server->closing, fd, CLOSING_OWNER_UNKNOWN);
		}
	}
	closing_flush(&server->closing);
}
