/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/component_member.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "server/memory.h"

/* In the arena. */
struct component_device {
	struct crossvm_device_state device;
	/* What the processes were last woken for: less than there is if a worker died meanwhile. */
	_Atomic uint64_t told_total;
	_Atomic uint32_t told_generation;
};

struct component_member {
	struct crossvm_device device;
	struct component_device *state;
	int page_fd; /* read-only */
	void *page;
};

int component_member_page(const struct route_member *member)
{
	return member->component->page_fd;
}

/*
 * Wake the processes that have the member open. The write cannot wait, unless a process has both filled
 * its eventfd and made it blocking: then the worker's tick ends the write after a while (EINTR), and the
 * process is disconnected.
 */
static void wake(struct route_member *member)
{
	static const uint64_t one = 1;

	for (size_t i = 0; i < ROUTE_MAX_OPENS; i++) {
		struct route_open *open = &member->state->opens[i];
		const uint32_t user = atomic_load_explicit(&open->user, memory_order_relaxed);

		if (user == 0 || open->event_fd < 0 ||
		    write(open->event_fd, &one, sizeof(one)) >= 0 || errno != EINTR)
			continue;
		clients_held_up(&member->daemon->clients, user, &open->event_fd);
	}
}

static void interrupt(struct route_member *member)
{
	struct component_device *state = member->component->state;
	const uint64_t total = state->device.total;
	const uint32_t generation = state->device.generation;

	wake(member);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&state->told_total, total, memory_order_release);
	atomic_store_explicit(&state->told_generation, generation, memory_order_release);
}

static int make_device(struct route_member *member, struct component_member *component)
{
	static const uint32_t control = CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_PEER_CHANGES;
	const struct route_connection *connection = member->connection;
	struct crossvm_device_options options = {
		.layout = CROSSVM_LAYOUT_SPLIT,
		.connection_id = connection->id,
		.member_id = member->id,
		.member_count = (uint32_t)connection->num_members,
		.access = member->access,
		.dataport_bytes = connection->dataport_bytes,
		.writers = connection->writers,
		.peers = true,
	};

	strncpy(options.name, connection->name, CROSSVM_NAME_MAX);
	component->page_fd =
		memory_create_own(connection->name, CROSSVM_PAGE_BYTES, &component->page);
	if (component->page_fd < 0)
		return component->page_fd;
	component->device = (struct crossvm_device){.state = &component->state->device,
						    .status = component->page};
	/* The system file was checked. */
	if (crossvm_device_state_init(component->device.state, component->device.status, NULL,
				      &options) != NULL)
		return -EINVAL;
	crossvm_device_registers_write(&component->device, CROSSVM_REG_CONTROL, &control,
				       sizeof(control));
	return 0;
}

int component_member_create(struct route_member *member)
{
	struct component_member *component = calloc(1, sizeof(*component));

	if (component == NULL)
		return -ENOMEM;
	member->component = component;
	component->page_fd = -1;
	component->state = arena_allocate(member->daemon->server.arena, sizeof(*component->state));
	if (component->state == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ROUTE_MAX_OPENS; i++)
		member->state->opens[i].event_fd = -1;
	member->interrupt = interrupt;
	member->device = &component->device;
	return make_device(member, component);
}

void component_member_destroy(struct route_member *member)
{
	struct component_member *component = member->component;

	if (component == NULL)
		return;
	if (component->page != NULL)
		munmap(component->page, CROSSVM_PAGE_BYTES);
	if (component->page_fd >= 0)
		close(component->page_fd);
	free(component);
	member->component = NULL;
}

void component_member_resume(struct route_member *member)
{
	struct component_device *state = member->component->state;
	struct server *server = &member->daemon->server;

	for (size_t i = 0; i < ROUTE_MAX_OPENS; i++) {
		struct route_open *open = &member->state->opens[i];

		closing_forget(&server->closing, &open->event_fd);
		server_mark(server, open->event_fd);
	}
	if (!state->device.publishing && state->device.total == state->told_total &&
	    state->device.generation == state->told_generation)
		return;
	crossvm_device_recover(&member->component->device);
	interrupt(member);
}
