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

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	log_limited(&vm->host->server->log, &vm->state->log_limit, CROSSVM_LOG_WARNING,
		    "VM \"%s\", connection \"%s\" (%s): %s", vm->name,
		    connection->connection->options.name, part, what);
}

void socket_failed(const struct host_connection *connection, const char *part, int error)
{
	socket_warn(connection, part,
		    "cannot accept a client: %s; waiting until something else ends",
		    strerror(-error));
}

int socket_open(const struct host_connection *connection, const char *part, bool takes_descriptors,
		struct acceptor *acceptor)
{
	const struct crossvm_vm *vm = connection->vm;
	char path[CROSSVM_SOCKET_PATH_BYTES];
	const size_t excess = crossvm_socket_path(vm->socket_dir, vm->name,
						  connection->connection->options.name, part, path);
	const struct listener_options options = {.kind = WIRE_STREAM,
						 .path = path,
						 .user = vm->allowed_user,
						 .group = vm->allowed_group,
						 .mode = vm->socket_mode,
						 .takes_descriptors = takes_descriptors};
	int error;

	if (excess > 0) {
		crossvm_vmm_error(
			connection->connection,
			"the socket \"%s...\" has a path that is %zu character%s too long; "
			"shorten a name, or choose a directory with a shorter path",
			path, excess, excess == 1 ? "" : "s");
		return -ENAMETOOLONG;
	}
	error = acceptor_open(acceptor, vm->host->server, &options);
	if (error)
		crossvm_vmm_error(connection->connection, "cannot listen at \"%s\": %s; %s", path,
				  strerror(-error),
				  error == -EADDRINUSE
					  ? "end the process that does"
					  : "check the directory and the rights to it");
	return error;
}

static void close_socket(const struct host_connection *connection, int fd)
{
	const struct crossvm_vm *vm = connection->vm;

	shutdown(fd, SHUT_RDWR);
	closing_take_socket(&vm->host->server->closing, &fd, linux_vm_owner(vm));
}

bool socket_admits(const struct host_connection *connection, const char *part, int fd)
{
	const struct crossvm_vm *vm = connection->vm;
	struct peer peer;
	bool admits;

	if (peer_read(fd, &peer))
		admits = false;
	else
		admits = peer_is(&vm->host->server->rules, &peer, vm->allowed_user,
				 vm->allowed_group);
	if (!admits) {
		socket_warn(connection, part, "process %d of user %u may not attach; disconnected",
			    peer.pid, peer.uid);
		close_socket(connection, fd);
	}
	peer_free(&peer);
	return admits;
}

void socket_refuse(const struct host_connection *connection, const char *part, int fd,
		   const char *why)
{
	struct peer peer;

	peer_read(fd, &peer);
	socket_warn(connection, part, "a client (process %d of user %u) was refused: %s", peer.pid,
		    peer.uid, why);
	peer_free(&peer);
	close_socket(connection, fd);
}
