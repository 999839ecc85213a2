/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket. A client sends one OPEN frame, strings ended by NUL:
 *	exec VM USER COMMAND ARGUMENT...    put VM USER PATH MODE NAME    get VM USER PATH
 *	console VM      input and output are DATA frames; no credit is kept
 *	qmp VM JSON     answered by output and EXIT
 *	status          likewise: JSON
 *	start VM        EXIT when it is ready
 *	stop VM         EXIT when it has ended
 *	down            EXIT when all is about to end
 * and then, with the first three, the frames of a session. The last frame is EXIT or FAILED.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/keeper.h"
#include "lab/report.h"

/* What both output streams' windows may hold, many times over for small frames; a console's lag. */
#define OUT_LIMIT   (8u << 20)
#define MAX_CLIENTS 256

static void destroy(struct lab_client *client)
{
	struct lab_keeper *keeper = client->keeper;
	struct lab_client **link = &keeper->clients;

	while (*link && *link != client)
		link = &(*link)->next;
	if (*link)
		*link = client->next;
	keeper->num_clients--;
	if (client->session)
		lab_session_abandon(client->session);
	if (client->vm)
		lab_qmp_forget(client->vm, client);
	lab_loop_remove(&keeper->loop, client->watch);
	close(client->fd);
	lab_buffer_clear(&client->out);
	free(client);
	lab_loop_change(&keeper->loop, keeper->listen_watch, EPOLLIN);
}

static void update(struct lab_client *client)
{
	bool more = lab_buffer_used(&client->out) > 0 || client->kind == LAB_CLIENT_DONE;
	bool wait = client->session && lab_agent_is_busy(client->vm);

	lab_loop_change(&client->keeper->loop, client->watch,
			(wait ? 0 : (uint32_t)EPOLLIN) | (more ? (uint32_t)EPOLLOUT : 0));
}

void lab_clients_update(struct lab_keeper *keeper)
{
	for (struct lab_client *client = keeper->clients; client; client = client->next)
		update(client);
}

void lab_client_send(struct lab_client *client, enum lab_frame_type type, enum lab_stream stream,
		     const void *payload, size_t length)
{
	/* A client that does not read: it is closed when the loop comes to it. */
	if (lab_buffer_add_frame(&client->out, type, stream, 0, payload, length) < 0) {
		lab_buffer_clear(&client->out);
		client->kind = LAB_CLIENT_DONE;
	}
	update(client);
}

void lab_client_exit(struct lab_client *client, uint32_t status)
{
	if (lab_buffer_add_value(&client->out, LAB_FRAME_EXIT, LAB_STDIN, 0, status) < 0)
		lab_buffer_clear(&client->out);
	client->kind = LAB_CLIENT_DONE;
	update(client);
}

void lab_client_fail(struct lab_client *client, const char *why)
{
	lab_client_send(client, LAB_FRAME_FAILED, LAB_STDIN, why, strlen(why));
	client->kind = LAB_CLIENT_DONE;
	update(client);
}

void lab_clients_console(struct lab_vm *vm, const void *bytes, size_t length)
{
	for (struct lab_client *client = vm->keeper->clients; client; client = client->next)
		if (client->kind == LAB_CLIENT_CONSOLE && client->vm == vm)
			lab_client_send(client, LAB_FRAME_DATA, LAB_STDOUT, bytes, length);
}

void lab_clients_vm_changed(struct lab_vm *vm)
{
	for (struct lab_client *client = vm->keeper->clients; client; client = client->next) {
		if (client->vm != vm)
			continue;
		if (client->kind == LAB_CLIENT_CONSOLE && vm->state == LAB_VM_OFF)
			lab_client_fail(client, "the VM has ended");
		if (client->kind != LAB_CLIENT_WAITING)
			continue;
		if (client->awaits == vm->state)
			lab_client_exit(client, 0);
		else if (vm->state == LAB_VM_OFF)
			lab_client_fail(client, "the VM has ended");
	}
}

static void request_status(struct lab_client *client)
{
	char *text = lab_status(client->keeper);
	size_t length = text ? strlen(text) : 0;

	for (size_t at = 0; at < length; at += LAB_FRAME_PAYLOAD)
		lab_client_send(client, LAB_FRAME_DATA, LAB_STDOUT, text + at,
				strnlen(text + at, LAB_FRAME_PAYLOAD));
	lab_client_send(client, LAB_FRAME_DATA, LAB_STDOUT, "\n", 1);
	free(text);
	lab_client_exit(client, text ? 0 : 1);
}

static void request_session(struct lab_client *client, struct lab_vm *vm, const char *kind,
			    const char *rest, size_t rest_bytes)
{
	char request[LAB_FRAME_PAYLOAD];
	size_t kind_bytes = strlen(kind) + 1;
	int error;

	if (vm->state != LAB_VM_READY) {
		lab_client_fail(client, vm->state == LAB_VM_OFF
						? "the VM is off (start it: crossvm lab start VM)"
						: "the VM is booting still");
		return;
	}
	/* The agent gets what the client sent, less the VM's name. */
	memcpy(request, kind, kind_bytes);
	memcpy(request + kind_bytes, rest, rest_bytes);
	error = lab_session_open(client, vm, request, kind_bytes + rest_bytes);
	if (error)
		lab_client_fail(client, error == -EBUSY ? "too many commands run in this VM at once"
							: strerror(-error));
}

static void request_console(struct lab_client *client, struct lab_vm *vm)
{
	if (vm->state == LAB_VM_OFF) {
		lab_client_fail(client, "the VM is off (start it: crossvm lab start VM)");
		return;
	}
	client->kind = LAB_CLIENT_CONSOLE;
	client->vm = vm;
}

static void request_state(struct lab_client *client, struct lab_vm *vm, enum lab_vm_state state)
{
	if (vm->state == state) {
		lab_client_exit(client, 0);
		return;
	}
	client->kind = LAB_CLIENT_WAITING;
	client->awaits = state;
	client->vm = vm;
	if (state == LAB_VM_OFF)
		lab_vm_stop(vm);
	else if (vm->stopping)
		vm->restart = true;
	else if (vm->state == LAB_VM_OFF && lab_vm_start(vm) < 0)
		lab_client_fail(client, "the VM cannot be started");
}

static void request_qmp(struct lab_client *client, struct lab_vm *vm, const char *json)
{
	client->vm = vm;
	client->kind = LAB_CLIENT_WAITING;
	client->awaits = LAB_VM_NONE;
	(void)lab_qmp_execute(vm, client, json);
}

static void request_down(struct lab_client *client)
{
	struct lab_keeper *keeper = client->keeper;

	lab_client_exit(client, 0);
	(void)lab_buffer_write(&client->out, client->fd);
	lab_keeper_stop(keeper);
}

/* The requests that are about a VM. */
static void request_vm(struct lab_client *client, const char *kind, struct lab_vm *vm,
		       const char *rest, size_t rest_bytes)
{
	if (strcmp(kind, "exec") == 0 || strcmp(kind, "put") == 0 || strcmp(kind, "get") == 0)
		request_session(client, vm, kind, rest, rest_bytes);
	else if (strcmp(kind, "console") == 0)
		request_console(client, vm);
	else if (strcmp(kind, "qmp") == 0)
		request_qmp(client, vm, rest_bytes > 0 ? rest : "");
	else if (strcmp(kind, "start") == 0)
		request_state(client, vm, LAB_VM_READY);
	else if (strcmp(kind, "stop") == 0)
		request_state(client, vm, LAB_VM_OFF);
	else
		lab_client_fail(client, "the lab does not know this request");
}

static void on_request(struct lab_client *client, const struct lab_frame *frame)
{
	const char *text = (const char *)frame->payload;
	const char *end = text + frame->length;
	const char *name, *rest;
	char message[160];
	struct lab_vm *vm;

	if (frame->type != LAB_FRAME_OPEN || frame->length == 0 || end[-1] != '\0') {
		lab_client_fail(client, "not a request");
		return;
	}
	name = text + strlen(text) + 1;
	if (client->keeper->state == LAB_STOPPING) {
		lab_client_fail(client, "the lab is ending");
	} else if (strcmp(text, "status") == 0) {
		request_status(client);
	} else if (strcmp(text, "down") == 0) {
		request_down(client);
	} else if (name >= end) {
		lab_client_fail(client, "the lab does not know this request");
	} else {
		rest = name + strlen(name) + 1;
		vm = lab_vm_find(client->keeper, name);
		if (vm) {
			request_vm(client, text, vm, rest, (size_t)(end - rest));
			return;
		}
		snprintf(message, sizeof(message), "the lab %s has no VM '%.60s'",
			 client->keeper->rundir.name, name);
		lab_client_fail(client, message);
	}
}

static int on_frame(struct lab_client *client, const struct lab_frame *frame)
{
	switch (client->kind) {
	case LAB_CLIENT_NEW:
		on_request(client, frame);
		return 0;
	case LAB_CLIENT_SESSION:
		return client->session ? lab_session_frame(client->session, frame) : 0;
	case LAB_CLIENT_CONSOLE:
		if (frame->type != LAB_FRAME_DATA)
			return -EPROTO;
		/* What a console does not take in time is lost, as on any serial line. */
		(void)lab_console_input(client->vm, frame->payload, frame->length);
		return 0;
	default:
		return 0;
	}
}

static int read_frames(struct lab_client *client)
{
	struct lab_frame frame;
	size_t bytes;
	uint8_t *space = lab_parser_space(&client->parser, &bytes);
	ssize_t n = read(client->fd, space, bytes);
	int result;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	lab_parser_received(&client->parser, (size_t)n);
	while ((result = lab_parser_next(&client->parser, &frame)) > 0) {
		result = on_frame(client, &frame);
		if (result < 0)
			break;
	}
	return result;
}

static void on_client(void *context, uint32_t events)
{
	struct lab_client *client = context;
	int result = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		result = read_frames(client);
	if (result == 0 && lab_buffer_write(&client->out, client->fd) < 0)
		result = -EPIPE;
	if (result < 0 || (client->kind == LAB_CLIENT_DONE && lab_buffer_used(&client->out) == 0))
		destroy(client);
	else
		update(client);
}

/* Only the lab's owner may; the folder's mode says so already, root goes through both. */
static bool is_welcome(int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void on_listen(void *context, uint32_t events)
{
	struct lab_keeper *keeper = context;
	int fd = accept4(keeper->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct lab_client *client = NULL;

	(void)events;
	if (fd >= 0 && is_welcome(fd))
		client = calloc(1, sizeof(*client));
	if (!client) {
		if (fd >= 0)
			close(fd);
		return;
	}
	*client = (struct lab_client){.keeper = keeper, .fd = fd, .out.limit = OUT_LIMIT};
	lab_parser_reset(&client->parser, (enum lab_frame_type)0);
	if (lab_loop_add(&keeper->loop, fd, EPOLLIN, on_client, client, &client->watch) < 0) {
		close(fd);
		free(client);
		return;
	}
	client->next = keeper->clients;
	keeper->clients = client;
	/* Who comes when all places are taken waits in the socket's queue. */
	if (++keeper->num_clients >= MAX_CLIENTS)
		lab_loop_change(&keeper->loop, keeper->listen_watch, 0);
}

int lab_clients_listen(struct lab_keeper *keeper)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%.99s/" LAB_CONTROL,
		 keeper->rundir.path);
	keeper->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (keeper->listen_fd < 0 ||
	    bind(keeper->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(keeper->listen_fd, 128) < 0)
		return -errno;
	return lab_loop_add(&keeper->loop, keeper->listen_fd, EPOLLIN, on_listen, keeper,
			    &keeper->listen_watch);
}

void lab_clients_destroy(struct lab_keeper *keeper)
{
	struct lab_client *next;

	for (struct lab_client *client = keeper->clients; client; client = next) {
		next = client->next;
		(void)lab_buffer_write(&client->out, client->fd);
		destroy(client);
	}
	lab_loop_remove(&keeper->loop, keeper->listen_watch);
	keeper->listen_watch = NULL;
	if (keeper->listen_fd >= 0)
		close(keeper->listen_fd);
	keeper->listen_fd = -1;
}
