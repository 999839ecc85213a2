/* SPDX-License-Identifier: BSD-2-Clause */
/* The sockets that QEMU connects to, one for each function of a connection. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/linux/internal.h"

void socket_warn(const struct host_connection *connection, const char *part, const char *format,
		 ...)
{
	const struct crossvm_vm *vm = connection->vm;
	char what[256];
	va_list arguments;

	if (!host_may_log(vm->host, vm->log_limit))
		return;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	host_log(vm->host, CROSSVM_LOG_WARNING, "VM \"%s\", connection \"%s\" (%s): %s", vm->name,
		 connection->connection->options.name, part, what);
}

int socket_listen(const struct host_connection *connection, const char *part,
		  struct wire_listener *listener)
{
	const struct crossvm_vm *vm = connection->vm;
	char path[CROSSVM_SOCKET_PATH_BYTES];
	const size_t excess = crossvm_socket_path(vm->socket_dir, vm->name,
						  connection->connection->options.name, part, path);
	int error;

	if (excess > 0) {
		crossvm_vmm_error(
			connection->connection,
			"the socket \"%s...\" has a path that is %zu character%s too long; "
			"shorten a name, or choose a directory with a shorter path",
			path, excess, excess == 1 ? "" : "s");
		return -ENAMETOOLONG;
	}
	error = wire_listen(&(struct wire_listener_options){.kind = WIRE_STREAM,
							    .path = path,
							    .allowed_user = vm->allowed_user,
							    .allowed_group = vm->allowed_group,
							    .mode = vm->socket_mode,
							    .anyone = true},
			    listener);
	if (error)
		crossvm_vmm_error(connection->connection, "cannot listen at \"%s\": %s; %s", path,
				  strerror(-error),
				  error == -EADDRINUSE
					  ? "end the process that does"
					  : "check the directory and the rights to it");
	return error;
}

bool socket_admits(const struct host_connection *connection, const char *part, int fd)
{
	const struct crossvm_vm *vm = connection->vm;
	struct wire_peer peer = {.pid = -1, .uid = (uid_t)-1};

	if (wire_peer_is(fd, vm->allowed_user, vm->allowed_group) ||
	    wire_peer_is(fd, geteuid(), (gid_t)-1))
		return true;
	wire_peer_of(fd, &peer);
	socket_warn(connection, part, "process %d of user %u may not attach; disconnected",
		    peer.pid, peer.uid);
	return false;
}

int socket_accept(const struct host_connection *connection, const char *part,
		  const struct wire_listener *listener)
{
	const int fd = wire_accept(listener, NULL);

	if (fd >= 0 || fd == -EAGAIN)
		return fd;
	socket_warn(connection, part,
		    "cannot accept a client: %s; waiting until something else ends", strerror(-fd));
	socket_pause_accepting(connection->vm->host, true);
	return fd;
}

void socket_pause_accepting(struct crossvm_host *host, bool paused)
{
	const uint32_t events = paused ? 0 : EPOLLIN;

	if (atomic_load(&host->arena->accept_paused) == paused)
		return;
	/* While any is paused it must say so, also if this process dies in between. */
	atomic_store(&host->arena->accept_paused, true);
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			for (unsigned int i = 0; i < c->num_functions; i++)
				watch_change(host, &c->functions[i].state->listener, events);
	doorbells_watch_listeners(host, events);
	atomic_store(&host->arena->accept_paused, paused);
}
