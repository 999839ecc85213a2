/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/members.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/component_member.h"
#include "daemon/stop.h"
#include "server/memory.h"
#include "systemfile/size.h"
#include "vmm/vmm.h"

/* What guests do, as the host tells it; context is the member. */

static void vm_emitted(void *context)
{
	struct route_member *member = context;

	route_emit(member, 0, server_message(&member->daemon->server));
}

/* How many of its connections a VM is attached to. */
static size_t count_attached(const struct daemon_vm *vm)
{
	size_t count = 0;

	for (size_t i = 0; i < vm->num_members; i++)
		count += route_is_present(vm->members[i]);
	return count;
}

static void vm_changed(void *context, uint32_t state)
{
	struct route_member *member = context;
	struct daemon *daemon = member->daemon;
	bool was_present = route_is_present(member);
	bool is_present = state != CROSSVM_PEER_ABSENT;

	/* One message for a VM, at its first connection and its last. */
	if (route_set_state(member, state) && was_present != is_present &&
	    count_attached(&daemon->vms[member->index]) == is_present)
		log_limited(&daemon->server.log, &daemon->state->limit, CROSSVM_LOG_INFO,
			    "VM '%s' %s", member->name, is_present ? "attached" : "detached");
}

static void interrupt_vm(struct route_member *member)
{
	crossvm_platform.interrupt(member->vm_connection);
}

static const struct crossvm_connection_callbacks callbacks = {
	.emit = vm_emitted,
	.state_changed = vm_changed,
};

static int create_dataport(struct daemon *daemon, struct route_connection *connection)
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
			daemon->log, CROSSVM_LOG_ERROR,
			"no memory for the dataport of connection '%s', %s (%s); give the machine "
			"more, or make dataports smaller",
			connection->name, crossvm_size_format(connection->dataport_bytes).text,
			strerror(-error));
		return error;
	}
	connection->read_only_fd = memory_reopen_read_only(connection->dataport_fd);
	return connection->read_only_fd < 0 ? connection->read_only_fd : 0;
}

static int create_member(struct daemon *daemon, struct route_connection *connection,
			 const struct crossvm_system_member *from, struct route_member *member)
{
	const struct crossvm_system *system = daemon->system;

	member->connection = connection;
	member->daemon = daemon;
	member->id = (uint32_t)(member - connection->members);
	member->access = from->access;
	member->name =
		from->is_vm ? system->vms[from->index].name : system->components[from->index].name;
	member->index = from->index;
	member->sender =
		&daemon->senders[from->is_vm ? from->index : system->num_vms + from->index];
	member->state = arena_allocate(daemon->server.arena, sizeof(*member->state));
	if (member->state == NULL)
		return -ENOMEM;
	if (!from->is_vm)
		return component_member_create(member);
	/* Its device is made when all of the VM's are. */
	member->vm = daemon->vms[from->index].vm;
	member->interrupt = interrupt_vm;
	return 0;
}

static int create_connection(struct daemon *daemon, size_t index)
{
	const struct crossvm_system_connection *from = &daemon->system->connections[index];
	struct route_connection *connection = &daemon->route.connections[index];
	int error;

	connection->name = from->name;
	connection->id = (uint32_t)index + 1;
	connection->route = &daemon->route;
	connection->dataport_bytes = from->dataport_bytes;
	connection->members = calloc(from->num_members, sizeof(*connection->members));
	if (connection->members == NULL)
		return -ENOMEM;
	connection->num_members = from->num_members;
	for (size_t i = 0; i < from->num_members; i++) {
		if (from->members[i].access & CROSSVM_ACCESS_WRITE)
			connection->writers |= UINT64_C(1) << i;
	}
	error = create_dataport(daemon, connection);
	if (!error && from->doorbell)
		error = crossvm_doorbell_create(daemon->host, &connection->doorbell);
	for (size_t i = 0; !error && i < from->num_members; i++)
		error = create_member(daemon, connection, &from->members[i],
				      &connection->members[i]);
	return error;
}

static int create_vm(struct daemon *daemon, size_t index, const struct rights *rights)
{
	const struct crossvm_system_vm *from = &daemon->system->vms[index];
	struct crossvm_vm_options options = {.name = from->name,
					     .socket_dir = daemon->socket_dir,
					     .allowed_user = from->user,
					     .allowed_group = from->group,
					     .allow_group_0 = true}; /* not given is -1 */

	/*
	 * The sockets are root's when they are made: let in who the daemon will be by name. Root may
	 * attach in any case, so "user: root" leaves room for that name.
	 */
	if (rights->drop && (options.allowed_user == (uid_t)-1 || options.allowed_user == 0))
		options.allowed_user = rights->user;
	return crossvm_vm_create(daemon->host, &options, &daemon->vms[index].vm);
}

/* The device of a VM that stands for its being a member. */
struct device {
	struct crossvm_dataport_handle dataport;
	seL4_CPtr frame;
};

static int describe(struct route_member *member, bool single_layout, struct device *device,
		    struct crossvm_connection_options *options)
{
	const struct route_connection *connection;

	assert(member != NULL); /* each is listed */
	connection = member->connection;

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

/* What a VM is a member of, in the order of the connections. */
static int list_members(struct daemon *daemon, struct daemon_vm *vm)
{
	vm->members = calloc(CROSSVM_MAX_CONNECTIONS, sizeof(struct route_member *));
	if (vm->members == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < daemon->route.num_connections; i++) {
		struct route_connection *connection = &daemon->route.connections[i];

		for (size_t j = 0; j < connection->num_members; j++)
			if (connection->members[j].vm == vm->vm &&
			    vm->num_members < CROSSVM_MAX_CONNECTIONS)
				vm->members[vm->num_members++] = &connection->members[j];
	}
	return 0;
}

static int install_vm(struct daemon *daemon, size_t index)
{
	struct crossvm_connection_options options[CROSSVM_MAX_CONNECTIONS];
	struct device devices[CROSSVM_MAX_CONNECTIONS];
	struct daemon_vm *vm = &daemon->vms[index];
	int error = list_members(daemon, vm);

	for (size_t i = 0; !error && i < vm->num_members; i++)
		error = describe(vm->members[i], daemon->system->vms[index].single_layout,
				 &devices[i], &options[i]);
	if (!error && crossvm_connections_init(vm->vm, 0, options, (int)vm->num_members,
					       crossvm_vm_pci(vm->vm), crossvm_host_alloc_irq) != 0)
		error = -EINVAL;
	for (size_t i = 0; !error && i < vm->num_members; i++) {
		struct route_member *member = vm->members[i];

		member->vm_connection = crossvm_vmm_find(vm->vm, member->connection->id);
		member->device = &member->vm_connection->device;
	}
	return error;
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
static int check_memory(const struct daemon *daemon)
{
	uint64_t available = available_memory();
	uint64_t needed = 0;

	for (size_t i = 0; i < daemon->system->num_connections; i++)
		needed += daemon->system->connections[i].dataport_bytes;
	if (needed <= available)
		return 0;
	log_write(daemon->log, CROSSVM_LOG_ERROR,
		  "the dataports take %s in all, but this machine has only %" PRIu64
		  " MiB of memory available; give it more, or make dataports smaller",
		  crossvm_size_format(needed).text, available >> 20);
	return -ENOMEM;
}

int members_create(struct daemon *daemon, const struct rights *rights)
{
	const struct crossvm_system *system = daemon->system;
	struct route *route = &daemon->route;
	int error = check_memory(daemon);

	if (error)
		return error;
	daemon->vms = calloc(system->num_vms + 1, sizeof(*daemon->vms));
	daemon->senders =
		calloc(system->num_vms + system->num_components + 1, sizeof(*daemon->senders));
	route->connections = calloc(system->num_connections, sizeof(*route->connections));
	if (daemon->vms == NULL || daemon->senders == NULL || route->connections == NULL)
		return -ENOMEM;
	route->num_connections = system->num_connections;
	for (size_t i = 0; i < system->num_connections; i++)
		route->connections[i].dataport_fd = route->connections[i].read_only_fd = -1;
	for (size_t i = 0; !error && i < system->num_vms; i++)
		error = stop_is_asked() ? -EINTR : create_vm(daemon, i, rights);
	for (size_t i = 0; !error && i < system->num_connections; i++)
		error = stop_is_asked() ? -EINTR : create_connection(daemon, i);
	for (size_t i = 0; !error && i < system->num_vms; i++)
		error = stop_is_asked() ? -EINTR : install_vm(daemon, i);
	return error;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void destroy_connection(struct route_connection *connection)
{
	for (size_t j = 0; j < connection->num_members; j++)
		component_member_destroy(&connection->members[j]);
	crossvm_doorbell_destroy(connection->doorbell);
	close_if_open(connection->dataport_fd);
	close_if_open(connection->read_only_fd);
	free(connection->members);
}

void members_destroy(struct daemon *daemon)
{
	for (size_t i = 0; daemon->vms != NULL && i < daemon->system->num_vms; i++) {
		free(daemon->vms[i].members);
		if (daemon->vms[i].vm == NULL)
			continue;
		crossvm_connections_destroy(daemon->vms[i].vm);
		crossvm_vm_destroy(daemon->vms[i].vm);
	}
	for (size_t i = 0; i < daemon->route.num_connections; i++)
		destroy_connection(&daemon->route.connections[i]);
	free(daemon->route.connections);
	free(daemon->senders);
	free(daemon->vms);
	daemon->route = (struct route){0};
	daemon->vms = NULL;
	daemon->senders = NULL;
}
