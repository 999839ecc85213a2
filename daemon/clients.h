/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The component socket: who is connected, accepting, parting, and going on after a worker that died.
 * component.h has what they say to each other.
 *
 * A client occupies one of CLIENTS_MAX places in the arena from accept to close. A client that has
 * not opened a connection yet gives way to a new one when all places are taken, so that idle sockets
 * keep nobody out.
 */
#ifndef CROSSVM_DAEMON_CLIENTS_H
#define CROSSVM_DAEMON_CLIENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <crossvm/abi_component.h>
#include <crossvm/host.h>

#include "daemon/log.h"
#include "daemon/route.h"
#include "wire/listener.h"
#include "wire/wire.h"

#define CLIENTS_MAX            256u
#define CLIENTS_MAX_COMPONENTS 256u

/* A component, as far as this room cares. */
struct clients_component {
	const char *name;
	uid_t user; /* -1: none */
	gid_t group;
};

enum client_state {
	CLIENT_FREE,
	CLIENT_USED,
	CLIENT_CLOSING,
};

struct clients;

/* A connected process. In the arena. */
struct client {
	struct clients *clients;
	uint32_t place;
	struct wire wire;
	_Alignas(8) unsigned char watch[CROSSVM_HOST_WATCH_BYTES];
	_Atomic uint32_t state; /* enum client_state */
	uint64_t arrival;
	pid_t pid;
	uid_t uid;
	uint8_t may_be[CLIENTS_MAX_COMPONENTS / 8]; /* bit set of components */
	struct route_member *member;                /* what it has open; NULL: nothing yet */
	uint32_t open_index;                        /* in member->state->opens */
	uint64_t open_message;                      /* identity of the OPEN */
};

/* In the arena. */
struct clients_state {
	struct client *_Atomic places[CLIENTS_MAX]; /* NULL: not used so far */
	uint64_t arrivals;
	_Alignas(8) unsigned char watch[CROSSVM_HOST_WATCH_BYTES];
	bool paused;    /* no descriptor left to accept with: not watching until somebody leaves */
	int reserve_fd; /* given up to accept, and turn away, when no descriptor is left; -1: gone */
	/* The last message that was applied, and how many workers have crashed at it. */
	struct {
		uint32_t place;
		uint64_t message;
		bool active; /* it still is being applied */
		uint32_t crashes;
	} applying;
};

struct clients {
	const struct log *log;
	struct log_limit limit;
	struct crossvm_host *host;
	struct route_connection *connections;
	size_t num_connections;
	const struct clients_component *components;
	size_t num_components;
	struct wire_listener listener;
	struct clients_state *state;
};

/*
 * Listen in socket_dir. The caller has filled log, host, connections and components.
 *
 * @return 0, or -errno after a message.
 */
int clients_create(struct clients *clients, const char *socket_dir);
/* Disconnects all and removes the socket. */
void clients_destroy(struct clients *clients);

/* Once routing is ready: let them come. @return 0 or -errno. */
int clients_start(struct clients *clients);

/*
 * For crossvm_host_recover(): whether a descriptor is a client's. Adopts one that was accepted and
 * has no place yet.
 */
bool clients_know(struct clients *clients, int fd);

/* Go on after another worker: first what is to be done before crossvm_host_recover() ... */
void clients_resume(struct clients *clients);
/*
 * ... and then what comes after it.
 *
 * @crashed: it died of itself and not by somebody's order. A client whose message makes three workers
 *   crash in a row is disconnected.
 */
void clients_recover(struct clients *clients, bool crashed);

/* How many descriptors clients can take, for the limit. */
size_t clients_descriptors(void);

#endif
