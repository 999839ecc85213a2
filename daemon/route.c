/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/route.h"

#define STATE_MASK        UINT64_C(3)
#define INCARNATION_SHIFT 2
#define INCARNATION_MASK  UINT64_C(0x3fffffff)
#define CHANGES_SHIFT     32

/*
 * What a turn may do, and a sender before it is another's turn, in looks at a member. To interrupt one
 * takes about as long as so many looks.
 */
#define TURN_WORK      1024u
#define SENDER_WORK    128u
#define INTERRUPT_WORK 8u

/*
 * Order: who may read what a process stored here runs only after that process has died, so the
 * compiler's order is enough. The loads and stores are atomic so that none is torn or repeated.
 */
static uint64_t get(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uint64_t *value, uint64_t to)
{
	atomic_store_explicit(value, to, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Add up what the arena says, as a process before may have left it. */
static void sum_up(struct route_connection *connection)
{
	connection->emitted = 0;
	for (size_t i = 0; i < connection->num_members; i++) {
		struct route_member *member = &connection->members[i];

		member->emitted = 0;
		for (size_t j = 0; j < ROUTE_MAX_OPENS; j++)
			member->emitted += get(&member->state->sources[j].emitted);
		connection->emitted += member->emitted;
	}
}

/* Who is to be told. */

static void append_sender(struct route *route, struct route_sender *sender)
{
	sender->next = NULL;
	sender->waits = true;
	if (route->first == NULL)
		route->first = sender;
	else
		route->last->next = sender;
	route->last = sender;
}

static void append_connection(struct route_sender *sender, struct route_connection *connection)
{
	connection->next = NULL;
	if (sender->first == NULL)
		sender->first = connection;
	else
		sender->last->next = connection;
	sender->last = connection;
}

/* All members are to be told, for what a sender has done. */
static void tell_all(struct route_connection *connection, struct route_sender *sender)
{
	const bool listed = connection->untold > 0;

	connection->untold = connection->num_members;
	if (listed)
		return;
	append_connection(sender, connection);
	if (!sender->waits)
		append_sender(connection->route, sender);
}

void route_emit(struct route_member *member, size_t source, uint64_t message)
{
	struct route_source *from = &member->state->sources[source];
	const uint64_t before = get(&from->emitted);
	uint64_t after = before + 1;

	if (get(&from->message) != message) {
		set(&from->after, after);
		set(&from->message, message);
	} else {
		after = get(&from->after);
	}
	set(&from->emitted, after);
	member->emitted += after - before;
	member->connection->emitted += after - before;
	tell_all(member->connection, member->sender);
}

static struct crossvm_peer_status status_of(const struct route_member *member)
{
	uint64_t presence = get(&member->state->presence);

	return (struct crossvm_peer_status){
		.state = presence == 0 ? CROSSVM_PEER_ABSENT : (uint32_t)(presence & STATE_MASK),
		.incarnation = (uint32_t)((presence >> INCARNATION_SHIFT) & INCARNATION_MASK),
	};
}

bool route_is_present(const struct route_member *member)
{
	return status_of(member).state != CROSSVM_PEER_ABSENT;
}

bool route_set_state(struct route_member *member, uint32_t state)
{
	struct route_connection *connection = member->connection;
	struct crossvm_peer_status status = status_of(member);
	const uint64_t presence = get(&member->state->presence);
	const bool changes = status.state != state;

	if (changes) {
		status.state = state;
		status.incarnation += state == CROSSVM_PEER_OPEN;
		set(&member->state->presence,
		    (((presence >> CHANGES_SHIFT) + 1) << CHANGES_SHIFT) |
			    ((status.incarnation & INCARNATION_MASK) << INCARNATION_SHIFT) | state);
		for (size_t i = 0; i < connection->num_members; i++)
			connection->members[i].untold |= UINT64_C(1) << member->id;
		tell_all(connection, member->sender);
	}
	/* Its own page first: a guest that reads a register behind the write finds it there. */
	crossvm_device_peer_set(member->device, member->id, status_of(member));
	return changes;
}

/* Tell a member how those are of whom it may not know. @return whether any was news. */
static bool tell_states(struct route_member *member)
{
	bool news = false;

	for (uint64_t left = member->untold; left != 0; left &= left - 1) {
		const uint32_t id = (uint32_t)__builtin_ctzll(left);

		if (id < member->connection->num_members)
			news |= crossvm_device_peer_set(
				member->device, id, status_of(&member->connection->members[id]));
	}
	member->untold = 0;
	return news;
}

/* @return the work that it took. */
static unsigned int tell(struct route_member *member, uint64_t total)
{
	const bool news = tell_states(member);
	const bool events = crossvm_device_events_set(member->device, total);

	if (!events && !(news && crossvm_device_wants_peer_changes(member->device)))
		return 1;
	member->interrupt(member);
	return INTERRUPT_WORK;
}

/* @return the work that it took. */
static unsigned int tell_some(struct route_connection *connection)
{
	unsigned int work = 0;

	while (connection->untold > 0 && work < SENDER_WORK) {
		struct route_member *member = &connection->members[connection->next_member];

		if (++connection->next_member == connection->num_members)
			connection->next_member = 0;
		connection->untold--;
		work += tell(member, connection->emitted - member->emitted);
	}
	return work;
}

/* One sender's share. @return the work that it took. */
static unsigned int serve_sender(struct route *route)
{
	struct route_sender *sender = route->first;
	struct route_connection *connection = sender->first;
	const unsigned int work = tell_some(connection);

	/* To the end, both, if there is more to do. */
	sender->first = connection->next;
	if (connection->untold > 0)
		append_connection(sender, connection);
	route->first = sender->next;
	sender->waits = false;
	if (sender->first != NULL)
		append_sender(route, sender);
	return work;
}

bool route_tell(void *context)
{
	struct route *route = context;
	unsigned int work = 0;

	while (route->first != NULL && work < TURN_WORK)
		work += serve_sender(route);
	return route->first != NULL;
}

void route_introduce(struct route_connection *connection)
{
	for (size_t i = 0; i < connection->num_members; i++) {
		struct route_member *member = &connection->members[i];

		for (uint32_t j = 0; j < connection->num_members; j++)
			crossvm_device_peer_name(member->device, j, connection->members[j].name);
	}
}

void route_resume(struct route *route)
{
	for (size_t i = 0; i < route->num_connections; i++) {
		struct route_connection *connection = &route->connections[i];

		sum_up(connection);
		for (size_t j = 0; j < connection->num_members; j++)
			connection->members[j].untold = UINT64_MAX;
		tell_all(connection, connection->members[0].sender);
	}
}
