/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor of a VM's QEMU: one line of JSON a message. The keeper reads events, and carries out
 * requests for clients, with ids of its own, so that any number can be under way.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lab/keeper.h"
#include "lab/report.h"

#define LINE_LIMIT (4u << 20)

struct qmp_request {
	struct qmp_request *next;
	uint64_t id;
	struct lab_client *client;
};

static void update(struct lab_vm *vm)
{
	bool more = lab_buffer_used(&vm->qmp.out) > 0;

	lab_loop_change(&vm->keeper->loop, vm->qmp.watch,
			EPOLLIN | (more ? (uint32_t)EPOLLOUT : 0));
}

static void answer(struct lab_client *client, json_t *message)
{
	char *text;
	bool failed = json_object_get(message, "error") != NULL;

	(void)json_object_del(message, "id");
	text = json_dumps(message, JSON_COMPACT);
	if (text) {
		for (size_t at = 0; at < strlen(text); at += LAB_FRAME_PAYLOAD)
			lab_client_send(client, LAB_FRAME_DATA, LAB_STDOUT, text + at,
					strnlen(text + at, LAB_FRAME_PAYLOAD));
		lab_client_send(client, LAB_FRAME_DATA, LAB_STDOUT, "\n", 1);
	}
	free(text);
	lab_client_exit(client, failed ? 1 : 0);
}

static void answered(struct lab_vm *vm, json_t *message)
{
	json_int_t id = json_integer_value(json_object_get(message, "id"));
	struct qmp_request **link = &vm->qmp.requests;
	struct qmp_request *request;

	while (*link && (*link)->id != (uint64_t)id)
		link = &(*link)->next;
	request = *link;
	if (!request)
		return;
	*link = request->next;
	if (request->client)
		answer(request->client, message);
	free(request);
}

static void on_event(struct lab_vm *vm, const char *event)
{
	if (strcmp(event, "RESET") == 0)
		lab_vm_was_reset(vm);
}

static void on_message(struct lab_vm *vm, const char *line, size_t length)
{
	json_t *message = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(message, "event"));

	if (event)
		on_event(vm, event);
	else if (json_object_get(message, "id"))
		answered(vm, message);
	json_decref(message);
}

static void read_lines(struct lab_vm *vm)
{
	struct lab_buffer *in = &vm->qmp.in;
	uint8_t *end;

	while (lab_buffer_used(in) > 0 &&
	       (end = memchr(in->bytes + in->start, '\n', lab_buffer_used(in)))) {
		size_t length = (size_t)(end - (in->bytes + in->start));

		on_message(vm, (const char *)in->bytes + in->start, length);
		in->start += length + 1;
	}
}

static void on_monitor(void *context, uint32_t events)
{
	struct lab_vm *vm = context;
	char bytes[8192];
	ssize_t n = read(vm->qmp.fd, bytes, sizeof(bytes));

	(void)events;
	if (n > 0 && lab_buffer_add(&vm->qmp.in, bytes, (size_t)n) == 0)
		read_lines(vm);
	else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
		lab_loop_remove(&vm->keeper->loop, vm->qmp.watch);
		vm->qmp.watch = NULL;
		return;
	}
	if (lab_buffer_write(&vm->qmp.out, vm->qmp.fd) < 0)
		lab_buffer_clear(&vm->qmp.out);
	update(vm);
}

int lab_qmp_attach(struct lab_vm *vm, int fd)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n";
	int error;

	vm->qmp = (struct lab_qmp){
		.fd = fd, .in.limit = LINE_LIMIT, .out.limit = LINE_LIMIT, .next_id = 1};
	error = lab_loop_add(&vm->keeper->loop, fd, EPOLLIN | EPOLLOUT, on_monitor, vm,
			     &vm->qmp.watch);
	if (error) {
		vm->qmp.in.limit = 0;
		return error;
	}
	return lab_buffer_add(&vm->qmp.out, hello, sizeof(hello) - 1);
}

void lab_qmp_detach(struct lab_vm *vm)
{
	if (vm->qmp.in.limit == 0)
		return;
	while (vm->qmp.requests) {
		struct qmp_request *request = vm->qmp.requests;

		vm->qmp.requests = request->next;
		if (request->client)
			lab_client_fail(request->client, "the VM has ended");
		free(request);
	}
	lab_loop_remove(&vm->keeper->loop, vm->qmp.watch);
	close(vm->qmp.fd);
	lab_buffer_clear(&vm->qmp.in);
	lab_buffer_clear(&vm->qmp.out);
	vm->qmp = (struct lab_qmp){.fd = -1};
}

static int send_request(struct lab_vm *vm, struct lab_client *client, json_t *message)
{
	struct qmp_request *request = calloc(1, sizeof(*request));
	char *text;
	int error;

	if (!request)
		return -ENOMEM;
	*request = (struct qmp_request){
		.next = vm->qmp.requests, .id = vm->qmp.next_id++, .client = client};
	(void)json_object_set_new(message, "id", json_integer((json_int_t)request->id));
	text = json_dumps(message, JSON_COMPACT);
	error = text ? lab_buffer_add(&vm->qmp.out, text, strlen(text)) : -ENOMEM;
	if (!error)
		error = lab_buffer_add(&vm->qmp.out, "\n", 1);
	free(text);
	if (error) {
		free(request);
		return error;
	}
	vm->qmp.requests = request;
	update(vm);
	return 0;
}

int lab_qmp_execute(struct lab_vm *vm, struct lab_client *client, const char *json)
{
	json_error_t problem;
	json_t *message = json_loads(json, 0, &problem);
	char text[256];
	int error = 0;

	if (vm->qmp.in.limit == 0) {
		lab_client_fail(client, "the VM is off");
		error = -EINVAL;
	} else if (!json_is_object(message)) {
		snprintf(text, sizeof(text), "not a JSON object, such as %s: %s",
			 "{\"execute\":\"query-status\"}", message ? json : problem.text);
		lab_client_fail(client, text);
		error = -EINVAL;
	} else if (send_request(vm, client, message) < 0) {
		lab_client_fail(client, "no memory for the request");
		error = -EINVAL;
	}
	json_decref(message);
	return error;
}

void lab_qmp_forget(struct lab_vm *vm, const struct lab_client *client)
{
	for (struct qmp_request *request = vm->qmp.requests; request; request = request->next)
		if (request->client == client)
			request->client = NULL;
}
