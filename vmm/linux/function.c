/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI function: the socket that QEMU connects to, and the client that is attached to it. There is
 * one client at a time. When it goes, the function is as after power-on, ready for the next.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "server/strikes.h"
#include "vmm/linux/internal.h"

static struct server *server_of(const struct host_function *function)
{
	return function->connection->vm->host->server;
}

static struct crossvm_device *device_of(const struct host_function *function)
{
	return &function->connection->connection->device;
}

static const char *part_of(const struct host_function *function)
{
	return function_part_name(function->number);
}

/* What struct vfio_user_ops asks for; context is the function. */

static void reset(void *context)
{
	struct host_function *function = context;

	crossvm_device_reset(device_of(function), function->number);
}

static void attached(void *context, bool is_attached)
{
	struct host_function *function = context;

	if (function->number == CROSSVM_FUNCTION_EVENTS)
		crossvm_vmm_attached(function->connection->connection, is_attached);
}

static bool intx_level(void *context)
{
	return crossvm_device_intx_level(device_of(context));
}

static bool pending(void *context)
{
	return crossvm_device_pending(device_of(context));
}

static unsigned int unmask(void *context, uint32_t events, unsigned int budget)
{
	struct host_function *function = context;

	(void)events;
	(void)budget;
	vfio_user_unmask(function->session, &function->device);
	return 1;
}

static bool is_eventfd(void *context, int fd)
{
	return server_is_eventfd(server_of(context), fd);
}

static void watch_unmask(void *context, int fd, bool watch)
{
	struct host_function *function = context;
	struct watches *watches = server_of(function)->watches;

	if (!watch)
		watches_remove(watches, fd);
	else if (watches_set(watches, fd, EPOLLIN | EPOLLET, &function->connection->vm->owner,
			     unmask, function))
		socket_warn(function->connection, part_of(function),
			    "its unmask descriptor cannot be watched: INTx will be slow");
}

static void held_up(void *context)
{
	const struct host_function *function = context;
	struct crossvm_vm *vm = function->connection->vm;

	strike(&vm->state->strikes);
	socket_warn(
		function->connection, part_of(function),
		"its interrupt was full and made to block, which held up everybody for a moment; "
		"it gets no more by that eventfd");
}

static bool may_interrupt(void *context)
{
	const struct host_function *function = context;

	return !is_struck_out(&function->connection->vm->state->strikes);
}

static void complain(void *context, const char *message)
{
	const struct host_function *function = context;

	socket_warn(function->connection, part_of(function), "%s", message);
}

static const struct vfio_user_ops ops = {
	.read = regions_read,
	.write = regions_write,
	.reset = reset,
	.attached = attached,
	.intx_level = intx_level,
	.pending = pending,
	.is_eventfd = is_eventfd,
	.watch = watch_unmask,
	.held_up = held_up,
	.may_interrupt = may_interrupt,
	.complain = complain,
};

/* Clients. */

static unsigned int client_ready(void *context, uint32_t events, unsigned int budget);

static int watch_client(struct host_function *function, uint32_t events)
{
	return watches_set(server_of(function)->watches, function->session->wire.fd, events,
			   &function->connection->vm->owner, client_ready, function);
}

/* It stays, and no other may come, until it has taken the descriptors that it was sent. */
static void part(struct host_function *function)
{
	struct vfio_user_session *session = function->session;

	if (!session->parting)
		server_log(&server_of(function)->log, CROSSVM_LOG_DEBUG,
			   "VM \"%s\", connection \"%s\" (%s): detached",
			   function->connection->vm->name,
			   function->connection->connection->options.name, part_of(function));
	vfio_user_part(session, &function->device);
	if (wire_has_taken_all(&session->wire)) {
		watches_remove(server_of(function)->watches, session->wire.fd);
		vfio_user_close(session, &function->device);
	} else {
		watch_client(function, EPOLLOUT | EPOLLET);
	}
}

/* After something was served, while the watch was for an answer to be sent or not: what it came to. */
static void settle(struct host_function *function, int result, bool gone, bool was_answering)
{
	struct watches *watches = server_of(function)->watches;
	const struct wire *wire = &function->session->wire;
	const int fd = wire->fd;

	/* If it has gone already, there is nothing to wait for. */
	if (result == -ENOBUFS && !gone) {
		watches_pause(watches, fd);
		return;
	}
	if (result >= 0 && wire_is_answering(wire) != was_answering &&
	    watch_client(function, wire_events(wire)))
		result = -ENOMEM;
	if (result < 0)
		part(function);
	else if (result > 0)
		watches_again(watches, fd);
}

static unsigned int client_ready(void *context, uint32_t events, unsigned int budget)
{
	struct host_function *function = context;
	struct server *server = server_of(function);
	const bool was_answering = wire_is_answering(&function->session->wire);
	unsigned int left = budget;
	int result;

	if (function->session->parting) {
		part(function);
		return 1;
	}
	server_serve(server, &function->session->wire);
	result = vfio_user_serve(function->session, &function->device, &left);
	server_served(server);
	settle(function, result, events & EPOLLHUP, was_answering);
	return budget - left;
}

static void take_client(struct host_function *function, int fd)
{
	int error;

	vfio_user_open(function->session, fd);
	error = watch_client(function, EPOLLIN);
	if (!error)
		return;
	socket_warn(function->connection, part_of(function), "its client cannot be watched: %s",
		    strerror(-error));
	part(function);
}

/*
 * A client that has gone may not have been served to its end yet, when a QEMU is started again at
 * once: the next one waits for that, and is not refused. It also waits while too much of what the VM's
 * clients have sent is still being closed.
 */
static bool may_accept(void *context)
{
	const struct host_function *function = context;
	const struct vfio_user_session *session = function->session;
	struct pollfd peer = {.fd = session->wire.fd, .events = POLLRDHUP};

	if (!closing_has_room(&server_of(function)->closing,
			      linux_vm_owner(function->connection->vm)))
		return false;
	return !vfio_user_is_open(session) || session->parting || poll(&peer, 1, 0) <= 0;
}

static void accepted(void *context, int fd)
{
	struct host_function *function = context;

	if (!socket_admits(function->connection, part_of(function), fd))
		return;
	if (!vfio_user_is_open(function->session))
		take_client(function, fd);
	else if (function->session->parting)
		socket_refuse(function->connection, part_of(function), fd,
			      "the client before has not taken what it was sent: end it first");
	else
		socket_refuse(function->connection, part_of(function), fd,
			      "a client is attached already: end that QEMU first");
}

static void failed(void *context, int error)
{
	const struct host_function *function = context;

	socket_failed(function->connection, part_of(function), error);
}

/* Beginning and end. */

int function_open(struct host_function *function)
{
	vfio_user_init(function->session);
	function->device.ops = &ops;
	function->device.context = function;
	function->device.intx = function->number == CROSSVM_FUNCTION_EVENTS;
	function->device.msi = function->device.intx;
	function->device.owner =
		(struct wire_owner){.closing = &server_of(function)->closing,
				    .id = linux_vm_owner(function->connection->vm)};
	regions_fill(function);
	function->acceptor.may_accept = may_accept;
	function->acceptor.accepted = accepted;
	function->acceptor.failed = failed;
	function->acceptor.context = function;
	return socket_open(function->connection, part_of(function), true, &function->acceptor);
}

void function_take_leave(struct host_function *function)
{
	if (!vfio_user_is_open(function->session))
		return;
	/* Answer first what is there: a client with a request on its way is not left without. */
	client_ready(function, EPOLLIN, WATCHES_TURN_MESSAGES);
	if (vfio_user_is_open(function->session))
		part(function);
}

void function_close(struct host_function *function)
{
	acceptor_close(&function->acceptor);
	function_take_leave(function);
	if (vfio_user_is_open(function->session)) {
		watches_remove(server_of(function)->watches, function->session->wire.fd);
		vfio_user_close(function->session, &function->device);
	}
	closing_flush(&server_of(function)->closing);
}

static void give_up(struct host_function *function)
{
	server_log(&server_of(function)->log, CROSSVM_LOG_ERROR,
		   "VM \"%s\", connection \"%s\" (%s): disconnected, since process after process "
		   "has crashed at one and the same message of its QEMU; please report this",
		   function->connection->vm->name, function->connection->connection->options.name,
		   part_of(function));
	part(function);
}

void function_resume(struct host_function *function)
{
	struct server *server = server_of(function);
	struct vfio_user_session *session = function->session;

	vfio_user_resume(session, &function->device);
	vfio_user_mark(session, server_mark, server);
	if (!vfio_user_is_open(session))
		return;
	if (watch_client(function, wire_events(&session->wire)) || session->parting)
		part(function);
	else if (server_blames(server, &session->wire))
		give_up(function);
	else if (wire_has_work(&session->wire))
		watches_again(server->watches, session->wire.fd);
}
