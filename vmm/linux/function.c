/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI function: the socket that QEMU connects to, and the client that is attached to it. There is
 * one client at a time. When it goes, the function is as after power-on, ready for the next.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/linux/internal.h"

/* To empty a socket's buffer takes fewer. */
#define MAX_LEFT_RECEIVES 64u

static struct crossvm_host *host_of(const struct host_function *function)
{
	return function->connection->vm->host;
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

static void unmask(void *context, uint32_t events)
{
	struct host_function *function = context;

	(void)events;
	vfio_user_unmask(&function->state->session, &function->device);
}

static void watch_unmask(void *context, int fd, bool watch)
{
	struct host_function *function = context;

	if (!watch)
		watch_remove(host_of(function), &function->state->unmask);
	else if (watch_add(host_of(function), &function->state->unmask, fd, EPOLLIN, unmask,
			   function))
		socket_warn(function->connection, part_of(function),
			    "its unmask descriptor cannot be watched: INTx will be slow");
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
	.watch = watch_unmask,
	.complain = complain,
};

/* Clients. */

static void part_from_client(struct host_function *function)
{
	struct crossvm_host *host = host_of(function);

	watch_remove(host, &function->state->client);
	vfio_user_close(&function->state->session, &function->device);
}

/* After something was served: error is what it came to. */
static void settle(struct host_function *function, int error)
{
	struct function_state *state = function->state;

	if (!error) {
		watch_change(host_of(function), &state->client, wire_events(&state->session.wire));
		return;
	}
	part_from_client(function);
	host_log(host_of(function), CROSSVM_LOG_DEBUG,
		 "VM \"%s\", connection \"%s\" (%s): detached", function->connection->vm->name,
		 function->connection->connection->options.name, part_of(function));
}

static void client_ready(void *context, uint32_t events)
{
	struct host_function *function = context;
	struct vfio_user_session *session = &function->state->session;
	struct crossvm_host *host = host_of(function);
	int error;

	atomic_store(&host->arena->serving, session);
	if (events & EPOLLOUT)
		error = vfio_user_writable(session, &function->device);
	else
		error = vfio_user_readable(session, &function->device);
	atomic_store(&host->arena->serving, NULL);
	settle(function, error);
}

static void take_client(struct host_function *function, int fd)
{
	struct function_state *state = function->state;
	int error;

	vfio_user_open(&state->session, fd);
	error = watch_add(host_of(function), &state->client, fd, EPOLLIN, client_ready, function);
	if (error) {
		socket_warn(function->connection, part_of(function),
			    "its client cannot be watched: %s", strerror(-error));
		part_from_client(function);
	}
}

/*
 * A client that has gone may not have been served to its end yet, when a QEMU is started again at
 * once: the next one is not to be refused for it.
 */
static void finish_with_gone_client(struct host_function *function)
{
	const struct vfio_user_session *session = &function->state->session;

	for (unsigned int i = 0; i < MAX_LEFT_RECEIVES && vfio_user_is_open(session); i++)
		client_ready(function, wire_events(&session->wire));
}

void function_adopt(struct host_function *function, int fd)
{
	struct wire_peer peer = {.pid = -1, .uid = (uid_t)-1};

	finish_with_gone_client(function);
	if (!socket_admits(function->connection, part_of(function), fd)) {
		close(fd);
	} else if (vfio_user_is_open(&function->state->session)) {
		wire_peer_of(fd, &peer);
		socket_warn(
			function->connection, part_of(function),
			"a second client (process %d of user %u) was refused: end the QEMU that is "
			"attached first",
			peer.pid, peer.uid);
		close(fd);
	} else {
		take_client(function, fd);
	}
}

static void listener_ready(void *context, uint32_t events)
{
	struct host_function *function = context;
	const int fd = socket_accept(function->connection, part_of(function), &function->listener);

	(void)events;
	if (fd >= 0)
		function_adopt(function, fd);
}

/* Beginning and end. */

int function_open(struct host_function *function)
{
	struct function_state *state = function->state;
	int error;

	vfio_user_init(&state->session);
	state->listener.fd = -1;
	state->client.fd = -1;
	state->unmask.fd = -1;
	function->device.ops = &ops;
	function->device.context = function;
	function->device.intx = function->number == CROSSVM_FUNCTION_EVENTS;
	function->device.msi = function->device.intx;
	regions_fill(function);
	error = socket_listen(function->connection, part_of(function), &function->listener);
	if (error)
		return error;
	error = watch_add(host_of(function), &state->listener, function->listener.fd, EPOLLIN,
			  listener_ready, function);
	if (error) {
		crossvm_vmm_error(function->connection->connection, "cannot watch its socket: %s",
				  strerror(-error));
		wire_listener_close(&function->listener);
	}
	return error;
}

void function_close(struct host_function *function)
{
	struct function_state *state = function->state;

	watch_remove(host_of(function), &state->listener);
	wire_listener_close(&function->listener);
	if (!vfio_user_is_open(&state->session))
		return;
	/* Answer first what is there: a client with a request on its way is not left without. */
	client_ready(function, EPOLLIN);
	part_from_client(function);
}

void function_resume(struct host_function *function)
{
	struct function_state *state = function->state;
	struct crossvm_host *host = host_of(function);
	int error;

	if (!vfio_user_is_open(&state->session))
		return;
	error = watch_add(host, &state->client, state->session.wire.fd,
			  wire_events(&state->session.wire), client_ready, function);
	atomic_store(&host->arena->serving, &state->session);
	if (!error)
		error = vfio_user_resume(&state->session, &function->device);
	atomic_store(&host->arena->serving, NULL);
	settle(function, error);
}

void function_give_up(struct host_function *function)
{
	host_log(host_of(function), CROSSVM_LOG_ERROR,
		 "VM \"%s\", connection \"%s\" (%s): disconnected, since process after process "
		 "has crashed at one and the same message of its QEMU; please report this",
		 function->connection->vm->name, function->connection->connection->options.name,
		 part_of(function));
	part_from_client(function);
}

bool function_knows(const struct host_function *function, int fd)
{
	return fd == function->listener.fd || vfio_user_knows(&function->state->session, fd);
}
