/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server/: what makes a process that serves sockets killable, and keeps its clients from holding it up.
 *
 * A program that serves consists of a *holder*, which makes everything and then only waits, and a
 * *worker*, which serves. Both share one descriptor table. If the worker dies, at any instant, the
 * holder clones another one, which goes on. *Closers*, which share the table too, drop descriptors in
 * the worker's place.
 *
 *	arena		memory that outlives a worker
 *	wire, listener	messages over sockets, whose receipt outlives a worker; who connects
 *	watches		turns, in which every client gets its share
 *	closing		closing what others have a part in
 *	memory, guard	memory shared with clients, and what if they take it away
 *	log		what is said, and how often
 *	holder		holder, worker, closers
 *
 * The rule: the worker makes no call whose duration somebody else decides, does no work for a message
 * that a client can multiply, and waits for nobody. docs/decisions/0032 lists every call.
 *
 * What changes while it serves stands in the arena, and every change of it is one store, or such that
 * doing it twice is the same as doing it once. All else is private memory: made before the first worker
 * and constant from then on, or made anew by each worker.
 *
 * May include the public headers, and nothing else of the tree. Thread-safety: one thread at a time.
 */
#ifndef CROSSVM_SERVER_SERVER_H
#define CROSSVM_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/arena.h"
#include "server/closing.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/watches.h"
#include "server/wire.h"

struct server_state; /* in the arena */

struct server {
	struct server_log log;
	struct arena *arena;
	struct server_state *state;
	struct watches *watches;
	struct closing closing;
	struct watch_owner owner; /* of what is this process's own */
	struct peer_rules rules;
	struct acceptor *acceptors;
	int descriptors; /* /proc/self/fd of this process */
	/* Bit sets of descriptors: what is there from the beginning to the end; what is known now. */
	uint8_t *permanent;
	uint8_t *known;
	size_t max_fds; /* numbers below this occur */
	int highest_known;
	/* holder_prepare()'s; -1: none */
	int signals;    /* signalfd of the holder */
	int standstill; /* timerfd of the holder: expires if the worker stands still */
};

/*
 * @arena_bytes: of address space, for others than server/closing.h. @max_fds: how many descriptors the process may have.
 * @return 0, or -errno after a message. server_destroy() is fine in both cases.
 */
int server_create(struct server *server, const struct server_log *log, size_t arena_bytes,
		  size_t max_fds);
void server_destroy(struct server *server);

/* One turn, as watches_turn(). */
int server_turn(struct server *server, int timeout_ms);

/*
 * Whether a descriptor is an eventfd. Only then writing to it, reading, watching it runs nobody else's
 * code. It asks the kernel, and not whoever made the descriptor.
 */
bool server_is_eventfd(const struct server *server, int fd);

/* Clients that connect. */

/* In private memory, at the same place for as long as the server is there. */
struct acceptor {
	struct server *server;
	struct acceptor *next;
	struct listener listener;
	struct watch_owner owner;
	/*
	 * Whether a client that waits may be accepted now; if not, it waits until a descriptor of
	 * somebody is closed. NULL: always.
	 */
	bool (*may_accept)(void *context);
	/* A client has connected: fd is the callee's. It is to be checked. */
	void (*accepted)(void *context, int fd);
	/* Nobody can be accepted now: -EMFILE and the like. To be told to people. */
	void (*failed)(void *context, int error);
	void *context;
};

/*
 * Listen and watch. The caller has filled accepted, failed and context.
 *
 * @return 0, or -errno as listener_open().
 */
int acceptor_open(struct acceptor *acceptor, struct server *server,
		  const struct listener_options *options);
/* Stop listening, remove the socket file. Accepts a zeroed one. */
void acceptor_close(struct acceptor *acceptor);

/* Whose message is applied. */

/*
 * Between these two, a message of the wire is being applied. A worker that crashes meanwhile is noted;
 * when SERVER_MAX_CRASHES in a row have crashed at one message, its sender is to blame.
 */
#define SERVER_MAX_CRASHES 3u
void server_serve(struct server *server, const struct wire *wire);
void server_served(struct server *server);
/* The identity of that message, as in struct wire_message; 0: none is being applied. */
uint64_t server_message(const struct server *server);
/* Whether the next message of a wire is one at which workers crash. */
bool server_blames(const struct server *server, const struct wire *wire);

/* Going on after another process, which died at any instant. */

/*
 * From here on, what is open stays open until the end, but for what server_sort_out() finds to be
 * nobody's. Call it when everything is made. This process then cannot take turns, before it calls
 * server_renew().
 */
void server_seal(struct server *server);

/*
 * In a process that goes on, or begins, before it opens any descriptor:
 *
 *	server_renew()			the watches are empty; crashed: the one before died of itself
 *	... everybody calls closing_forget() for what it has recorded, watches its descriptors again,
 *	    and calls server_mark() for each that was opened since server_seal() ...
 *	server_sort_out()		descriptors that nobody has marked are given to the acceptors
 *					that they come from, or closed unless known() says that
 *					somebody else knows them (NULL: nobody does)
 *
 * @return 0 or -errno.
 */
int server_renew(struct server *server, bool crashed);
void server_mark(void *context, int fd); /* the struct server; a descriptor of -1 is none */
void server_sort_out(struct server *server, bool (*known)(void *context, int fd), void *context);

#endif
