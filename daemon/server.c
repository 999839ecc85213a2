/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/server.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/members.h"

#define ARENA_BYTES               (UINT64_C(32) << 20)
#define ARENA_BYTES_PER_VM_MEMBER (UINT64_C(128) << 10)
#define ARENA_BYTES_PER_COMPONENT UINT64_C(4096)

/* Descriptors of a VM's member: two functions with a listener, a client, its interrupts, and what an
 * ill-willed message brings along. */
#define FDS_PER_VM_MEMBER (2 * (2 + 4 + WIRE_MAX_FDS) + 2)
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

static int create_host(struct server *server)
{
	const struct crossvm_system *system = server->system;
	struct crossvm_host_options options = {.log = log_message,
					       .log_context = (void *)server->log};
	size_t components;
	size_t vms;
	int error;

	count_members(system, &vms, &components);
	error = rights_raise_descriptors(
		FDS_BESIDES + clients_descriptors() + vms * FDS_PER_VM_MEMBER + components +
			2 * system->num_connections + count_doorbells(system) * FDS_PER_DOORBELL,
		server->log);
	if (error)
		return error;
	options.arena_bytes = ARENA_BYTES + vms * ARENA_BYTES_PER_VM_MEMBER +
			      components * ARENA_BYTES_PER_COMPONENT;
	error = crossvm_host_create(&options, &server->host);
	if (error)
		return error;
	server->state = crossvm_host_allocate(server->host, sizeof(*server->state));
	return server->state == NULL ? -ENOMEM : 0;
}

static int create_clients(struct server *server)
{
	const struct crossvm_system *system = server->system;

	server->components = calloc(system->num_components + 1, sizeof(*server->components));
	if (server->components == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < system->num_components; i++)
		server->components[i] =
			(struct clients_component){.name = system->components[i].name,
						   .user = system->components[i].user,
						   .group = system->components[i].group};
	server->clients.log = server->log;
	server->clients.host = server->host;
	server->clients.components = server->components;
	server->clients.num_components = system->num_components;
	return clients_create(&server->clients, server->socket_dir);
}

static void signal_ready(void *context, uint32_t events)
{
	struct server *server = context;

	(void)events;
	server->stopping = true;
}

/* The epoll set knows a signalfd by the process that added it: each worker needs one of its own. */
static void forget_signals(struct server *server)
{
	int fd = atomic_load_explicit(&server->state->signal_fd, memory_order_relaxed);

	crossvm_host_unwatch(server->host, server->state->signal_watch);
	atomic_store_explicit(&server->state->signal_fd, 0, memory_order_release);
	if (fd > 0)
		close(fd);
}

int server_listen_to_signals(struct server *server, const sigset_t *signals)
{
	int fd;

	forget_signals(server);
	fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	atomic_store_explicit(&server->state->signal_fd, fd, memory_order_release);
	return crossvm_host_watch(server->host, server->state->signal_watch, fd, EPOLLIN,
				  signal_ready, server);
}

static int start(struct server *server)
{
	server->clients.connections = server->connections;
	server->clients.num_connections = server->system->num_connections;
	for (size_t i = 0; i < server->system->num_connections; i++)
		route_introduce(&server->connections[i]);
	return clients_start(&server->clients);
}

/* Everything that is open now, but for the clients' reserve, stays open until the end. */
static int note_descriptors(struct server *server)
{
	DIR *directory;
	const struct dirent *entry;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -errno;
	server->initial_fds = calloc(limit.rlim_cur / 8 + 1, 1);
	if (server->initial_fds == NULL)
		return -ENOMEM;
	server->num_initial_fds = limit.rlim_cur;
	directory = opendir("/proc/self/fd");
	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		unsigned long fd = strtoul(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || fd >= server->num_initial_fds ||
		    fd == (unsigned long)dirfd(directory) ||
		    fd == (unsigned long)server->clients.state->reserve_fd)
			continue;
		server->initial_fds[fd / 8] |= (uint8_t)(1u << (fd % 8));
	}
	closedir(directory);
	return 0;
}

int server_create(struct server *server, const struct crossvm_system *system,
		  const struct directory *directory, const struct rights *rights,
		  const struct log *log)
{
	int error;

	*server = (struct server){.log = log,
				  .system = system,
				  .socket_dir = directory->path,
				  .clients.listener.fd = -1};
	error = create_host(server);
	if (!error)
		error = create_clients(server);
	if (!error)
		error = members_create(server, rights);
	if (!error)
		error = start(server);
	if (!error)
		error = note_descriptors(server);
	if (error && error != -EINTR)
		log_write(log, CROSSVM_LOG_ERROR, "cannot start: %s", strerror(-error));
	return error;
}

void server_destroy(struct server *server)
{
	if (server->clients.state != NULL)
		clients_destroy(&server->clients);
	members_destroy(server);
	if (server->state != NULL)
		forget_signals(server);
	crossvm_host_destroy(server->host);
	free(server->components);
	free(server->initial_fds);
	*server = (struct server){0};
}

static bool know(void *context, int fd)
{
	struct server *server = context;

	if ((size_t)fd < server->num_initial_fds &&
	    (server->initial_fds[fd / 8] & (1u << (fd % 8))) != 0)
		return true;
	return fd == atomic_load_explicit(&server->state->signal_fd, memory_order_relaxed) ||
	       clients_know(&server->clients, fd);
}

int server_recover(struct server *server, bool crashed)
{
	int error;

	clients_resume(&server->clients);
	if (crashed)
		crossvm_host_blame(server->host);
	error = crossvm_host_recover(server->host, know, server);
	if (error) {
		log_write(server->log, CROSSVM_LOG_ERROR, "a worker cannot carry on: %s",
			  strerror(-error));
		return error;
	}
	clients_recover(&server->clients, crashed);
	for (size_t i = 0; i < server->system->num_connections; i++)
		route_refresh(&server->connections[i]);
	return 0;
}
