/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/component_member.h"
#include "daemon/members.h"
#include "vmm/linux/linux.h"

/* Address space; memory is what is used. */
#define ARENA_BYTES               (UINT64_C(64) << 20)
#define ARENA_BYTES_PER_VM_MEMBER (UINT64_C(64) << 10)
#define ARENA_BYTES_PER_COMPONENT (UINT64_C(8) << 10)
#define ARENA_BYTES_PER_FD        UINT64_C(32)

/* Of a VM's member: two functions with a listener and a client, three eventfds, status page, dataport. */
#define FDS_PER_VM_MEMBER 9u
/* A status page. */
#define FDS_PER_COMPONENT 1u
/* A dataport, twice. */
#define FDS_PER_CONNECTION 2u
/* Memory, two eventfds, two listeners, a client of each. */
#define FDS_PER_DOORBELL 7u
#define FDS_BESIDES      64u

static void count_members(const struct crossvm_system *system, size_t *vms, size_t *components)
{
	*vms = 0;
	*components = 0;
	for (size_t i = 0; i < system->num_connections; i++)
		for (size_t j = 0; j < system->connections[i].num_members; j++)
			*(system->connections[i].members[j].is_vm ? vms : components) += 1;
}

static size_t count_doorbells(const struct crossvm_system *system)
{
	size_t count = 0;

	for (size_t i = 0; i < system->num_connections; i++)
		count += system->connections[i].doorbell;
	return count;
}

static size_t count_descriptors(const struct crossvm_system *system)
{
	size_t components;
	size_t vms;

	count_members(system, &vms, &components);
	return FDS_BESIDES + clients_descriptors() + CLOSING_RESERVE + vms * FDS_PER_VM_MEMBER +
	       components * FDS_PER_COMPONENT + system->num_connections * FDS_PER_CONNECTION +
	       count_doorbells(system) * FDS_PER_DOORBELL;
}

static int create_server(struct daemon *daemon)
{
	const struct server_log log = {.function = log_message, .context = (void *)daemon->log};
	const struct crossvm_system *system = daemon->system;
	const size_t fds = count_descriptors(system);
	size_t components;
	size_t vms;
	int error;

	count_members(system, &vms, &components);
	error = rights_set_descriptors(fds, daemon->log);
	if (error)
		return error;
	error = server_create(&daemon->server, &log,
			      ARENA_BYTES + vms * ARENA_BYTES_PER_VM_MEMBER +
				      components * ARENA_BYTES_PER_COMPONENT +
				      fds * ARENA_BYTES_PER_FD,
			      fds);
	if (!error)
		error = holder_prepare(&daemon->server);
	if (!error)
		error = linux_host_create(&daemon->server, &daemon->host);
	if (error)
		return error;
	daemon->state = arena_allocate(daemon->server.arena, sizeof(*daemon->state));
	return daemon->state == NULL ? -ENOMEM : 0;
}

static int create_clients(struct daemon *daemon)
{
	const struct crossvm_system *system = daemon->system;

	daemon->components = calloc(system->num_components + 1, sizeof(*daemon->components));
	if (daemon->components == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < system->num_components; i++)
		daemon->components[i] =
			(struct clients_component){.name = system->components[i].name,
						   .user = system->components[i].user,
						   .group = system->components[i].group};
	daemon->clients.server = &daemon->server;
	daemon->clients.route = &daemon->route;
	daemon->clients.components = daemon->components;
	daemon->clients.num_components = system->num_components;
	return clients_create(&daemon->clients, daemon->socket_dir);
}

static void finish(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->route.num_connections; i++)
		route_introduce(&daemon->route.connections[i]);
	watches_at_end(daemon->server.watches, route_tell, &daemon->route);
	server_seal(&daemon->server);
}

int daemon_create(struct daemon *daemon, const struct crossvm_system *system,
		  const char *socket_dir, const struct rights *rights, const struct log *log)
{
	int error;

	*daemon = (struct daemon){.log = log, .system = system, .socket_dir = socket_dir};
	error = create_server(daemon);
	if (!error)
		error = create_clients(daemon);
	if (!error)
		error = members_create(daemon, rights);
	if (!error)
		finish(daemon);
	if (error && error != -EINTR)
		log_write(log, CROSSVM_LOG_ERROR, "cannot start: %s", strerror(-error));
	return error;
}

void daemon_destroy(struct daemon *daemon)
{
	if (daemon->server.arena != NULL) {
		clients_destroy(&daemon->clients);
		members_destroy(daemon);
		crossvm_host_destroy(daemon->host);
		server_destroy(&daemon->server);
	}
	free(daemon->components);
	*daemon = (struct daemon){0};
}

void daemon_unlink(const struct daemon *daemon)
{
	linux_host_unlink(daemon->host);
	listener_unlink(&daemon->clients.acceptor.listener);
}

int daemon_begin(void *context, bool crashed)
{
	struct daemon *daemon = context;

	(void)crashed;
	linux_host_resume(daemon->host);
	for (size_t i = 0; i < daemon->route.num_connections; i++) {
		struct route_connection *connection = &daemon->route.connections[i];

		for (size_t j = 0; j < connection->num_members; j++)
			if (connection->members[j].component != NULL)
				component_member_resume(&connection->members[j]);
	}
	clients_resume(&daemon->clients);
	route_resume(&daemon->route);
	server_sort_out(&daemon->server, NULL, NULL);
	return 0;
}

void daemon_take_leave(void *context)
{
	struct daemon *daemon = context;

	linux_host_take_leave(daemon->host);
	clients_take_leave(&daemon->clients);
}

void daemon_name_owner(void *context, uint64_t owner, char *text, size_t bytes)
{
	const struct daemon *daemon = context;

	if (linux_name_owner(daemon->host, owner, text, bytes))
		return;
	if (owner == CLOSING_OWNER_UNKNOWN)
		snprintf(text, bytes, "somebody");
	else
		snprintf(text, bytes, "user %" PRIu64, owner);
}

void daemon_name_wire(void *context, uint64_t offset, char *text, size_t bytes)
{
	const struct daemon *daemon = context;

	if (!linux_name_wire(daemon->host, offset, text, bytes) &&
	    !clients_name_wire(&daemon->clients, offset, text, bytes))
		snprintf(text, bytes, "somebody");
}
