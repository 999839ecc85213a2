/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/stop.h"
#include "systemfile/size.h"

/* What guests do, as the host tells it; context is the member. */

static void vm_emitted(void *context)
{
	struct route_member *member = context;

	route_emit(member, 0, crossvm_host_message_id(member->server->host));
}

/* How many of its connections a VM is attached to. */
static size_t count_attached(const struct server *server, const vm_t *vm)
{
	size_t count = 0;

	for (size_t i = 0; i < server->system->num_connections; i++)
		for (size_t j = 0; j < server->connections[i].num_members; j++)
			count += server->connections[i].members[j].vm == vm &&
				 route_is_present(&server->connections[i].members[j]);
	return count;
}

static void vm_changed(void *context, uint32_t state)
{
	struct route_member *member = context;
	struct server *server = member->server;
	bool was_present = route_is_present(member);
	bool is_present = state != CROSSVM_PEER_ABSENT;

	route_set_state(member, state);
	/* One message for a VM, at its first connection and its last. */
	if (was_present != is_present && count_attached(server, member->vm) == is_present)
		log_limited(server->log, &server->limit, CROSSVM_LOG_INFO, "VM '%s' %s",
			    member->name, is_present ? "attached" : "detached");
}

static const struct crossvm_connection_callbacks callbacks = {
	.emit = vm_emitted,
	.state_changed = vm_changed,
};

static int create_dataport(struct server *server, struct route_connection *connection)
{
	int error;

	connection->dataport_fd = -1;
	connection->read_only_fd = -1;
	if (connection->dataport_bytes == 0)
		return 0;
	error = crossvm_dataport_create(connection->name, (size_t)connection->dataport_bytes,
					&connection->dataport_fd);
	if (error) {
		log_write(
			server->log, CROSSVM_LOG_ERROR,
			"no memory for the dataport of connection '%s', %s (%s); give the machine "
			"more, or make dataports smaller",
			connection->name, crossvm_size_format(connection->dataport_bytes).text,
			strerror(-error));
		return error;
	}
	connection->read_only_fd = page_read_only(connection->dataport_fd);
	return connection->read_only_fd < 0 ? connection->read_only_fd : 0;
}

static int create_page(struct route_member *member)
{
	const struct route_connection *connection = member->connection;
	struct page_options options = {.connection = connection->name,
				       .connection_id = connection->id,
				       .member_id = member->id,
				       .member_count = (uint32_t)connection->num_members,
				       .access = member->access,
				       .dataport_bytes = connection->dataport_bytes,
				       .writers = connection->writers};

	return page_create(&options, &member->page);
}

static int create_member(struct server *server, struct route_connection *connection,
			 const struct crossvm_system_member *from, struct route_member *member)
{
	const struct crossvm_system *system = server->system;

	member->connection = connection;
	member->server = server;
	member->id = (uint32_t)(member - connection->members);
	member->access = from->access;
	member->name =
		from->is_vm ? system->vms[from->index].name : system->components[from->index].name;
	member->component = from->index;
	member->state = crossvm_host_allocate(server->host, sizeof(*member->state));
	if (member->state == NULL)
		return -ENOMEM;
	if (!from->is_vm)
		return create_page(member);
	member->vm = server->vms[from->index];
	return 0;
}

static int create_connection(struct server *server, size_t index)
{
	const struct crossvm_system_connection *from = &server->system->connections[index];
	struct route_connection *connection = &server->connections[index];
	int error;

	connection->name = from->name;
	connection->id = (uint32_t)index + 1;
	connection->dataport_bytes = from->dataport_bytes;
	connection->members = calloc(from->num_members, sizeof(*connection->members));
	if (connection->members == NULL)
		return -ENOMEM;
	connection->num_members = from->num_members;
	for (size_t i = 0; i < from->num_members; i++) {
		if (from->members[i].access & CROSSVM_ACCESS_WRITE)
			connection->writers |= UINT64_C(1) << i;
	}
	error = create_dataport(server, connection);
	if (!error && from->doorbell)
		error = crossvm_doorbell_create(server->host, &connection->doorbell);
	for (size_t i = 0; !error && i < from->num_members; i++)
		error = create_member(server, connection, &from->members[i],
				      &connection->members[i]);
	return error;
}

static int create_vm(struct server *server, size_t index, const struct rights *rights)
{
	const struct crossvm_system_vm *from = &server->system->vms[index];
	struct crossvm_vm_options options = {.name = from->name,
					     .socket_dir = server->socket_dir,
					     .allowed_user = from->user,
					     .allowed_group = from->group};

	/* The sockets are root's when they are made: let in who the daemon will be by name. */
	if (rights->drop && options.allowed_user == (uid_t)-1)
		options.allowed_user = rights->user;
	return crossvm_vm_create(server->host, &options, &server->vms[index]);
}

/* The device of a VM that stands for its being a member. */
struct device {
	struct crossvm_dataport_handle dataport;
	seL4_CPtr frame;
};

static int describe(struct route_member *member, bool single_layout, struct device *device,
		    struct crossvm_connection_options *options)
{
	const struct route_connection *connection = member->connection;

	*options = (struct crossvm_connection_options){
		.handle = {.consume_id = connection->id, .connection_name = connection->name},
		.callbacks = &callbacks,
		.context = member,
		.access = member->access,
		.connection_id = connection->id,
		.member_id = member->id,
		.member_count = (uint32_t)connection->num_members,
		.single_layout = single_layout,
		.writers = connection->writers,
		.peers = true,
		.doorbell = connection->doorbell,
	};
	if (connection->dataport_bytes == 0)
		return 0;
	device->dataport = (struct crossvm_dataport_handle){
		.size = connection->dataport_bytes, .num_frames = 1, .frames = &device->frame};
	options->handle.dataport = &device->dataport;
	return crossvm_frames_from_memfd(connection->dataport_fd, 0, connection->dataport_bytes, 1,
					 &device->frame);
}

static int install_vm(struct server *server, size_t index)
{
	struct crossvm_connection_options options[CROSSVM_MAX_CONNECTIONS];
	struct device devices[CROSSVM_MAX_CONNECTIONS];
	vm_t *vm = server->vms[index];
	int count = 0;

	for (size_t i = 0; i < server->system->num_connections; i++) {
		struct route_connection *connection = &server->connections[i];

		for (size_t j = 0; j < connection->num_members; j++) {
			int error;

			if (connection->members[j].vm != vm)
				continue;
			error = describe(&connection->members[j],
					 server->system->vms[index].single_layout, &devices[count],
					 &options[count]);
			if (error)
				return error;
			count++;
		}
	}
	return crossvm_connections_init(vm, 0, options, count, crossvm_vm_pci(vm),
					crossvm_host_alloc_irq) == 0
		       ? 0
		       : -EINVAL;
}

/* Memory that can be had without swapping, in bytes; UINT64_MAX where the kernel does not tell. */
static uint64_t available_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = UINT64_MAX >> 10;
	static const char key[] = "MemAvailable:";
	char line[128];

	if (file == NULL)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtoull(line + strlen(key), NULL, 10);
	fclose(file);
	return kib << 10;
}

/*
 * Ask first: the kernel gives memory that it does not have, and then ends processes of its choice.
 */
static int check_memory(const struct server *server)
{
	uint64_t available = available_memory();
	uint64_t needed = 0;

	for (size_t i = 0; i < server->system->num_connections; i++)
		needed += server->system->connections[i].dataport_bytes;
	if (needed <= available)
		return 0;
	log_write(server->log, CROSSVM_LOG_ERROR,
		  "the dataports take %s in all, but this machine has only %" PRIu64
		  " MiB of memory available; give it more, or make dataports smaller",
		  crossvm_size_format(needed).text, available >> 20);
	return -ENOMEM;
}

int members_create(struct server *server, const struct rights *rights)
{
	const struct crossvm_system *system = server->system;
	int error = check_memory(server);

	if (error)
		return error;
	server->vms = calloc(system->num_vms + 1, sizeof(vm_t *));
	server->connections = calloc(system->num_connections, sizeof(*server->connections));
	if (server->vms == NULL || server->connections == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < system->num_connections; i++)
		server->connections[i].dataport_fd = server->connections[i].read_only_fd = -1;
	for (size_t i = 0; !error && i < system->num_vms; i++)
		error = stop_is_asked() ? -EINTR : create_vm(server, i, rights);
	for (size_t i = 0; !error && i < system->num_connections; i++)
		error = stop_is_asked() ? -EINTR : create_connection(server, i);
	for (size_t i = 0; !error && i < system->num_vms; i++)
		error = stop_is_asked() ? -EINTR : install_vm(server, i);
	return error;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void members_destroy(struct server *server)
{
	for (size_t i = 0; server->vms != NULL && i < server->system->num_vms; i++) {
		if (server->vms[i] == NULL)
			continue;
		crossvm_connections_destroy(server->vms[i]);
		crossvm_vm_destroy(server->vms[i]);
	}
	for (size_t i = 0; server->connections != NULL && i < server->system->num_connections;
	     i++) {
		struct route_connection *connection = &server->connections[i];

		for (size_t j = 0; j < connection->num_members; j++)
			page_destroy(&connection->members[j].page);
		crossvm_doorbell_destroy(connection->doorbell);
		close_if_open(connection->dataport_fd);
		close_if_open(connection->read_only_fd);
		free(connection->members);
	}
	free(server->connections);
	free(server->vms);
	server->connections = NULL;
	server->vms = NULL;
}
