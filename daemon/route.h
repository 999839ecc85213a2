/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections and their members, and the way of events and news between them.
 *
 * Each member has a device (device/device.h), which records what it is told, and a sink, which
 * interrupts it: a VM's is a PCI device and an MSI, a component's a status page and eventfds.
 *
 * What a message does is recorded at once, and takes the same time however many members there are. The
 * members are told at the end of the turn, each of them once, whatever has come meanwhile; in a turn so
 * many of them are told, and of the connections that one sender has emitted to no more than of another's.
 *
 * What is fixed (struct route_connection, struct route_member) is private memory that every worker has a
 * copy of, as is who is still to be told: a new worker tells everybody what they do not know yet. What
 * changes stands in the arena, and every change is one store or can be repeated. Nothing is incremented:
 * who emitted keeps a count under the identity of its last message, and what the others have seen is
 * derived from these counts.
 */
#ifndef CROSSVM_DAEMON_ROUTE_H
#define CROSSVM_DAEMON_ROUTE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cross_vm_connection.h>
#include <crossvm/host.h>

#include "device/device.h"

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
	int event_fd;          /* -1: none */
};

/* What changes of a member. In the arena. */
struct route_member_state {
	/* State in bits 0-1, incarnation in bits 2-31, number of changes in bits 32-63. */
	_Atomic uint64_t presence;
	struct route_source sources[ROUTE_MAX_OPENS]; /* of a VM: the first; else by open */
	struct route_open opens[ROUTE_MAX_OPENS];     /* of a component */
};

struct route_connection;
struct crossvm_vmm_connection;
struct daemon;

struct route_member {
	struct route_connection *connection;
	uint32_t id; /* in the connection, from 0 */
	uint32_t access;
	const char *name;
	struct daemon *daemon;                        /* whose member it is; of no interest here */
	vm_t *vm;                                     /* NULL: a component */
	struct crossvm_vmm_connection *vm_connection; /* the VM's end */
	size_t index; /* of the VM, or the component, in the system file */
	struct crossvm_device *device;
	/* Have the member look at its device. */
	void (*interrupt)(struct route_member *member);
	struct route_sender *sender;
	struct route_member_state *state;
	struct component_member *component; /* NULL: a VM */
	uint64_t untold;                    /* by member id, whose state it may not know */
	uint64_t emitted;                   /* by all its sources; a copy of what the arena says */
};

/* Who has members: a VM or a component. What it causes is done in its turn. */
struct route_sender {
	struct route_sender *next; /* among those with something to be done; NULL: the last */
	bool waits;                /* it is one of these */
	struct route_connection *first;
	struct route_connection *last;
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
	uint64_t emitted; /* by all members */
	struct route *route;

	/* Members that are still to be told: so many, from the next one on. */
	size_t untold;
	size_t next_member;
	struct route_connection *next; /* of the same sender */
};

struct route {
	struct route_connection *connections;
	size_t num_connections;
	struct route_sender *first; /* with something to be done */
	struct route_sender *last;
};

/* The member's source has emitted one event, by a message of this identity. */
void route_emit(struct route_member *member, size_t source, uint64_t message);

/*
 * The member is now in this state (CROSSVM_PEER_*). It knows at once, and the others are told.
 *
 * @return whether it was in another before.
 */
bool route_set_state(struct route_member *member, uint32_t state);

/* Whether others see the member as there: attached, or open. */
bool route_is_present(const struct route_member *member);

/* Once everything is made: tell all members of each other, names too. */
void route_introduce(struct route_connection *connection);

/* In a new worker: everybody may have to be told of everything. */
void route_resume(struct route *route);

/*
 * At the end of a turn: tell members, as many as a turn allows. @context: the struct route.
 *
 * @return whether there are more.
 */
bool route_tell(void *context);

#endif
