/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The component socket: who is connected, accepting, parting, and going on after a worker that died.
 * component.h has what they say to each other.
 *
 * A client occupies one of CLIENTS_MAX places from accept to close, and one user CLIENTS_PER_USER at most.
 * A client that has not opened a connection yet gives way to a new one when all places are taken, so that
 * idle sockets keep nobody out. A client that has gone without taking the descriptors that it was sent
 * keeps its place until it has, or has closed its socket.
 */
#ifndef CROSSVM_DAEMON_CLIENTS_H
#define CROSSVM_DAEMON_CLIENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <crossvm/abi_component.h>
#include <crossvm/host.h>

#include "daemon/route.h"
#include "server/server.h"
#include "server/strikes.h"

#define CLIENTS_MAX            1024u
#define CLIENTS_PER_USER       256u
#define CLIENTS_MAX_COMPONENTS 256u
#define CLIENTS_STRIKES        64u

/* A component, as far as this room cares. */
struct clients_component {
	const char *name;
	uid_t user; /* -1: none */
	gid_t group;
};

enum client_phase {
	CLIENT_FREE,
	CLIENT_USED,
	CLIENT_PARTING,
};

/* What changes of a client. In the arena, present once its place has been used. */
struct client_state {
	struct wire wire;
	uint64_t arrival;
	pid_t pid;
	uid_t uid;
	uint8_t may_be[CLIENTS_MAX_COMPONENTS / 8]; /* bit set of components */
	uint64_t open_message;                      /* identity of the OPEN */
	uint32_t open_index;                        /* in member->state->opens */
	uint32_t open_connection;                   /* index plus 1; 0: it has opened nothing */
	uint32_t open_member;                       /* index in it */
};

/* A user's share of the worker's time. Private. */
struct client_user {
	uid_t uid;
	uint32_t places; /* taken; 0: this entry is free */
	struct watch_owner owner;
};

struct clients;

/* A place. Private, constant but for the last three. */
struct client {
	struct clients *clients;
	uint32_t place;
	struct client_state *state;
	struct wire_owner owner;
	struct client_user *user;
	/* Where an answer to LIST stands: the next step looks on from here. */
	struct {
		uint64_t message; /* of the next step */
		size_t connection;
		size_t member;
	} list;
};

/* In the arena. */
struct clients_state {
	_Atomic uint8_t phases[CLIENTS_MAX]; /* enum client_phase */
	_Atomic uint8_t present[CLIENTS_MAX];
	uint64_t arrivals;
	struct log_limit limit;
	struct {
		uid_t uid;
		struct strikes strikes;
	} strikes[CLIENTS_STRIKES];
};

struct clients {
	struct server *server;
	struct route *route;
	const struct clients_component *components;
	size_t num_components;
	struct acceptor acceptor;
	struct clients_state *state;
	struct client_state *places; /* reserved */
	struct client clients[CLIENTS_MAX];
	struct client_user users[CLIENTS_MAX];
};

/*
 * Listen in socket_dir. The caller has filled server, route and components.
 *
 * @return 0, or -errno after a message.
 */
int clients_create(struct clients *clients, const char *socket_dir);
void clients_destroy(struct clients *clients);

/* In a worker: go on, between server_renew() and server_sort_out(); part from all. */
void clients_resume(struct clients *clients);
void clients_take_leave(struct clients *clients);

/* Who the client is for a message, from its wire's offset; false: it is no client's. */
bool clients_name_wire(const struct clients *clients, uint64_t offset, char *text, size_t bytes);

/* The socket of the process that a struct route_open belongs to; -1: none. */
int clients_socket(const struct clients *clients, uint32_t user);
/* The process that a struct route_open belongs to has made a write to its eventfd wait. */
void clients_held_up(struct clients *clients, uint32_t user, int *event_fd);
/* Whether the client's user has done so too often. */
bool clients_are_struck_out(const struct client *client);

/* The descriptors that clients can take. */
size_t clients_descriptors(void);

#endif
