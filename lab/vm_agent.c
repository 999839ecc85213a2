/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's agent as the keeper sees it: frames to and from a guest that may say anything. Whatever it
 * says concerns its own sessions only, and no buffer grows beyond what the streams' windows allow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lab/keeper.h"
#include "lab/report.h"

/* Above BUSY clients are not read for this VM; LIMIT leaves room for what is read already. */
#define OUT_BUSY     (1u << 20)
#define OUT_LIMIT    (8u << 20)
#define MAX_SESSIONS 64

static void update(struct lab_vm *vm)
{
	bool more = lab_buffer_used(&vm->agent_out) > 0;

	lab_loop_change(&vm->keeper->loop, vm->agent_watch,
			EPOLLIN | (more ? (uint32_t)EPOLLOUT : 0));
}

static void flush(struct lab_vm *vm)
{
	ssize_t n = lab_buffer_write(&vm->agent_out, vm->agent_fd);

	/* QEMU has gone; its end is noticed elsewhere. */
	if (n < 0)
		lab_buffer_clear(&vm->agent_out);
	if (n > 0)
		lab_clients_update(vm->keeper);
	update(vm);
}

static void end_sessions(struct lab_vm *vm, const char *why)
{
	while (vm->sessions) {
		struct lab_session *session = vm->sessions;

		vm->sessions = session->next;
		if (session->client) {
			session->client->session = NULL;
			lab_client_fail(session->client, why);
		}
		free(session);
	}
}

static void end_session(struct lab_session *session)
{
	struct lab_session **link = &session->vm->sessions;

	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	if (session->client)
		session->client->session = NULL;
	free(session);
}

void lab_agent_reset(struct lab_vm *vm, const char *why)
{
	end_sessions(vm, why);
	lab_buffer_clear(&vm->agent_out);
	lab_parser_hunt(vm->parser, LAB_FRAME_HELLO);
	update(vm);
}

static void hello(struct lab_vm *vm, const struct lab_frame *frame)
{
	struct lab_hello welcome;

	end_sessions(vm, "the guest was started again");
	lab_buffer_clear(&vm->agent_out);
	lab_hello_init(&welcome, lab_frame_nonce(frame));
	(void)lab_buffer_add_frame(&vm->agent_out, LAB_FRAME_WELCOME, LAB_STDIN, 0, &welcome,
				   sizeof(welcome));
	lab_vm_is_ready(vm);
}

static int output(struct lab_session *session, const struct lab_frame *frame)
{
	uint32_t *under_way = &session->under_way[frame->stream];

	if (frame->stream == LAB_STDIN || frame->length > LAB_STREAM_WINDOW - *under_way)
		return -EPROTO;
	*under_way += frame->length;
	lab_client_send(session->client, LAB_FRAME_DATA, frame->stream, frame->payload,
			frame->length);
	return 0;
}

static int credit(struct lab_session *session, const struct lab_frame *frame)
{
	uint32_t value = lab_frame_value(frame);

	if (frame->stream != LAB_STDIN || value > session->under_way[LAB_STDIN])
		return -EPROTO;
	session->under_way[LAB_STDIN] -= value;
	lab_client_send(session->client, LAB_FRAME_CREDIT, LAB_STDIN, frame->payload,
			frame->length);
	return 0;
}

static struct lab_session *find(struct lab_vm *vm, uint32_t id)
{
	struct lab_session *session = vm->sessions;

	while (session && session->id != id)
		session = session->next;
	return session;
}

static int session_frame(struct lab_vm *vm, const struct lab_frame *frame)
{
	struct lab_session *session = find(vm, frame->session);

	/* Its client may have gone while the frame was under way. */
	if (!session)
		return 0;
	switch (frame->type) {
	case LAB_FRAME_DATA:
		return output(session, frame);
	case LAB_FRAME_CREDIT:
		return credit(session, frame);
	case LAB_FRAME_EOF:
		lab_client_send(session->client, LAB_FRAME_EOF, frame->stream, NULL, 0);
		return 0;
	case LAB_FRAME_EXIT:
		lab_client_exit(session->client, lab_frame_value(frame) & 0xff);
		end_session(session);
		return 0;
	case LAB_FRAME_FAILED:
		lab_client_send(session->client, LAB_FRAME_FAILED, LAB_STDIN, frame->payload,
				frame->length);
		session->client->kind = LAB_CLIENT_DONE;
		end_session(session);
		return 0;
	default:
		return -EPROTO;
	}
}

static void read_frames(struct lab_vm *vm)
{
	struct lab_frame frame;
	int result;

	while ((result = lab_parser_next(vm->parser, &frame)) > 0) {
		if (frame.type == LAB_FRAME_HELLO)
			hello(vm, &frame);
		else
			result = session_frame(vm, &frame);
		if (result < 0)
			break;
	}
	if (result < 0) {
		lab_error("the guest agent of VM %s does not keep to the protocol",
			  vm->config->name);
		lab_parser_reset(vm->parser, LAB_FRAME_HELLO);
		lab_agent_reset(vm, "the guest agent sent nonsense");
	}
}

static void on_agent(void *context, uint32_t events)
{
	struct lab_vm *vm = context;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		size_t bytes;
		uint8_t *space = lab_parser_space(vm->parser, &bytes);
		ssize_t n = read(vm->agent_fd, space, bytes);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			/* QEMU ends: what the process says is what counts. */
			lab_loop_remove(&vm->keeper->loop, vm->agent_watch);
			vm->agent_watch = NULL;
			return;
		}
		if (n > 0) {
			lab_parser_received(vm->parser, (size_t)n);
			read_frames(vm);
		}
	}
	flush(vm);
}

int lab_agent_attach(struct lab_vm *vm, int fd)
{
	int error;

	vm->parser = malloc(sizeof(*vm->parser));
	if (!vm->parser)
		return -ENOMEM;
	lab_parser_reset(vm->parser, LAB_FRAME_HELLO);
	vm->agent_out.limit = OUT_LIMIT;
	error = lab_loop_add(&vm->keeper->loop, fd, EPOLLIN, on_agent, vm, &vm->agent_watch);
	if (error) {
		free(vm->parser);
		vm->parser = NULL;
		return error;
	}
	vm->agent_fd = fd;
	return 0;
}

void lab_agent_detach(struct lab_vm *vm, const char *why)
{
	if (!vm->parser)
		return;
	end_sessions(vm, why);
	lab_loop_remove(&vm->keeper->loop, vm->agent_watch);
	vm->agent_watch = NULL;
	close(vm->agent_fd);
	lab_buffer_clear(&vm->agent_out);
	free(vm->parser);
	vm->parser = NULL;
}

static size_t count_sessions(const struct lab_vm *vm)
{
	size_t count = 0;

	for (const struct lab_session *session = vm->sessions; session; session = session->next)
		count++;
	return count;
}

int lab_session_open(struct lab_client *client, struct lab_vm *vm, const void *request,
		     size_t bytes)
{
	struct lab_session *session;
	int error;

	if (count_sessions(vm) >= MAX_SESSIONS)
		return -EBUSY;
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	*session = (struct lab_session){
		.next = vm->sessions, .vm = vm, .client = client, .id = ++vm->next_session};
	error = lab_buffer_add_frame(&vm->agent_out, LAB_FRAME_OPEN, LAB_STDIN, session->id,
				     request, bytes);
	if (error) {
		free(session);
		return error;
	}
	vm->sessions = session;
	client->session = session;
	client->vm = vm;
	client->kind = LAB_CLIENT_SESSION;
	update(vm);
	return 0;
}

int lab_session_frame(struct lab_session *session, const struct lab_frame *frame)
{
	uint32_t *under_way = &session->under_way[frame->stream];
	struct lab_vm *vm = session->vm;
	int error;

	switch (frame->type) {
	case LAB_FRAME_DATA:
		if (frame->stream != LAB_STDIN || frame->length > LAB_STREAM_WINDOW - *under_way)
			return -EPROTO;
		*under_way += frame->length;
		break;
	case LAB_FRAME_CREDIT:
		if (frame->stream == LAB_STDIN || lab_frame_value(frame) > *under_way)
			return -EPROTO;
		*under_way -= lab_frame_value(frame);
		break;
	case LAB_FRAME_EOF:
	case LAB_FRAME_SIGNAL:
		break;
	default:
		return -EPROTO;
	}
	error = lab_buffer_add_frame(&vm->agent_out, frame->type, frame->stream, session->id,
				     frame->payload, frame->length);
	update(vm);
	return error;
}

void lab_session_abandon(struct lab_session *session)
{
	struct lab_vm *vm = session->vm;

	(void)lab_buffer_add_frame(&vm->agent_out, LAB_FRAME_CLOSE, LAB_STDIN, session->id, NULL,
				   0);
	end_session(session);
	update(vm);
}

bool lab_agent_is_busy(const struct lab_vm *vm)
{
	return lab_buffer_used(&vm->agent_out) > OUT_BUSY;
}
