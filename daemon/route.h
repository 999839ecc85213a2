/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections and their members, and the way of events and news between them.
 *
 * What is fixed (struct route_connection, struct route_member) is private memory that every worker
 * has a copy of. What changes stands in the host's arena, and every change is one store or can be
 * repeated: a worker that dies in the middle of anything here is followed by one that does it again.
 * Nothing is incremented: who emitted keeps a count under the identity of its last message, and what
 * the others have seen is derived from these counts.
 */
#ifndef CROSSVM_DAEMON_ROUTE_H
#define CROSSVM_DAEMON_ROUTE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cross_vm_connection.h>
#include <crossvm/host.h>

#include "daemon/page.h"

/* How many processes may have one member open at the same time. */
#define ROUTE_MAX_OPENS 8u

/* Who emits: a VM, or one process of a component. In the arena. */
struct route_source {
	_Atomic uint64_t message; /* identity of the message that emitted last */
	_Atomic uint64_t after;   /* how many events there are with it */
	_Atomic uint64_t emitted;
};

/* A process that has a component member open. In the arena. */
struct route_open {
	_Atomic uint32_t user; /* who it belongs to, for whoever gave it away; 0: free */
	_Atomic int event_fd;  /* 0: none */
	int socket_fd;         /* of a process that does not empty its eventfd: shut down */
};

/* What changes of a member. In the arena. */
struct route_member_state {
	/* State in bits 0-1, incarnation in bits 2-31, number of changes in bits 32-63. */
	_Atomic uint64_t presence;
	struct route_source sources[ROUTE_MAX_OPENS]; /* of a VM: the first; else by open */
	struct route_open opens[ROUTE_MAX_OPENS];     /* of a component */
};

struct route_connection;
struct server;

struct route_member {
	struct route_connection *connection;
	uint32_t id; /* in the connection, from 0 */
	uint32_t access;
	const char *name;
	struct server *server; /* whose member it is; of no interest here */
	vm_t *vm;              /* NULL: a component */
	size_t component;      /* its index, of a component */
	struct page page;      /* of a component */
	struct route_member_state *state;
};

struct route_connection {
	const char *name;
	uint32_t id; /* from 1; also its consume_id in every VM */
	uint64_t dataport_bytes;
	uint64_t writers; /* by member id, who may write the dataport */
	int dataport_fd;  /* -1: none */
	int read_only_fd; /* the same memory, for components that only read; -1: none */
	struct crossvm_doorbell *doorbell; /* NULL: none */
	struct route_member *members;
	size_t num_members;
};

/* The member's source emits one event, by a message of this identity, to all other members. */
void route_emit(struct route_member *member, size_t source, uint64_t message);

/* The member is now in this state (CROSSVM_PEER_*); tell all if it was not before. */
void route_set_state(struct route_member *member, uint32_t state);

/* Whether others see the member as there: attached, or open. */
bool route_is_present(const struct route_member *member);

/* Tell all members the names of all. */
void route_introduce(struct route_connection *connection);

/* Bring all members up to date, whatever a process that died has left undone, and wake them. */
void route_refresh(struct route_connection *connection);

#endif
