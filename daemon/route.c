/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/route.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE_MASK        UINT64_C(3)
#define INCARNATION_SHIFT 2
#define INCARNATION_MASK  UINT64_C(0x3fffffff)
#define CHANGES_SHIFT     32

/*
 * Order: who may read what a process stored here runs only after that process has died, so the
 * compiler's order is enough. The loads and stores are atomic so that none is torn or repeated.
 */
static uint64_t get(_Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uint64_t *value, uint64_t to)
{
	atomic_store_explicit(value, to, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static size_t count_sources(const struct route_member *member)
{
	return member->vm != NULL ? 1 : ROUTE_MAX_OPENS;
}

static uint64_t emitted_by(const struct route_member *member)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count_sources(member); i++)
		sum += get(&member->state->sources[i].emitted);
	return sum;
}

static uint64_t emitted_by_all(const struct route_connection *connection)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < connection->num_members; i++)
		sum += emitted_by(&connection->members[i]);
	return sum;
}

/*
 * Wake the processes that have a component member open. The write cannot wait, unless a process has
 * both filled its eventfd and made it blocking: then the worker's watchdog ends the write after a
 * while (EINTR), and the process is disconnected.
 */
static void wake(struct route_member *member)
{
	static const uint64_t one = 1;

	for (size_t i = 0; i < ROUTE_MAX_OPENS; i++) {
		struct route_open *open = &member->state->opens[i];
		int fd = atomic_load_explicit(&open->event_fd, memory_order_relaxed);

		if (fd <= 0 || write(fd, &one, sizeof(one)) >= 0 || errno != EINTR)
			continue;
		atomic_store_explicit(&open->event_fd, 0, memory_order_release);
		shutdown(open->socket_fd, SHUT_RDWR);
	}
}

static void deliver(struct route_member *member, uint64_t total)
{
	if (member->vm != NULL)
		crossvm_consume_total(member->vm, member->connection->id, total, true);
	else if (page_set_total(&member->page, total))
		wake(member);
}

void route_emit(struct route_member *member, size_t source, uint64_t message)
{
	struct route_connection *connection = member->connection;
	struct route_source *from = &member->state->sources[source];
	uint64_t total;

	if (get(&from->message) != message) {
		set(&from->after, get(&from->emitted) + 1);
		set(&from->message, message);
	}
	set(&from->emitted, get(&from->after));
	total = emitted_by_all(connection);
	for (size_t i = 0; i < connection->num_members; i++)
		if (&connection->members[i] != member)
			deliver(&connection->members[i],
				total - emitted_by(&connection->members[i]));
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

/* The same for the same states, and another after any change of one. */
static uint32_t generation_of(const struct route_connection *connection)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < connection->num_members; i++)
		sum += (uint32_t)(get(&connection->members[i].state->presence) >> CHANGES_SHIFT);
	return sum;
}

/* Tell a member how one of them is. */
static void tell_state(struct route_member *member, uint32_t id)
{
	struct crossvm_peer_status status = status_of(&member->connection->members[id]);

	if (member->vm != NULL)
		crossvm_peer_set(member->vm, member->connection->id, id, NULL, status);
	else
		page_set_peer(&member->page, id, status);
}

void route_set_state(struct route_member *member, uint32_t state)
{
	struct route_connection *connection = member->connection;
	uint64_t presence = get(&member->state->presence);
	struct crossvm_peer_status status = status_of(member);

	if (status.state != state) {
		status.incarnation += state == CROSSVM_PEER_OPEN;
		set(&member->state->presence,
		    (((presence >> CHANGES_SHIFT) + 1) << CHANGES_SHIFT) |
			    ((status.incarnation & INCARNATION_MASK) << INCARNATION_SHIFT) | state);
	}
	for (size_t i = 0; i < connection->num_members; i++) {
		struct route_member *other = &connection->members[i];

		tell_state(other, member->id);
		if (other->vm == NULL &&
		    page_set_generation(&other->page, generation_of(connection)))
			wake(other);
	}
}

void route_introduce(struct route_connection *connection)
{
	for (size_t i = 0; i < connection->num_members; i++) {
		struct route_member *member = &connection->members[i];

		for (uint32_t j = 0; j < connection->num_members; j++) {
			const char *name = connection->members[j].name;

			if (member->vm != NULL)
				crossvm_peer_set(member->vm, connection->id, j, name,
						 status_of(&connection->members[j]));
			else
				page_set_peer_name(&member->page, j, name);
			tell_state(member, j);
		}
	}
}

void route_refresh(struct route_connection *connection)
{
	uint64_t total = emitted_by_all(connection);

	for (size_t i = 0; i < connection->num_members; i++) {
		struct route_member *member = &connection->members[i];

		for (uint32_t j = 0; j < connection->num_members; j++)
			tell_state(member, j);
		deliver(member, total - emitted_by(member));
		if (member->vm != NULL)
			continue;
		page_set_generation(&member->page, generation_of(connection));
		wake(member);
	}
}
