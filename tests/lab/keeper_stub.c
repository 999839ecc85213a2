/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lab/keeper_stub.h"

static struct rig *rig_of(struct lab_keeper *keeper)
{
	return (struct rig *)(void *)((char *)keeper - offsetof(struct rig, keeper));
}

static struct record *record_of(struct lab_client *client)
{
	return &rig_of(client->keeper)->record;
}

void lab_client_send(struct lab_client *client, enum lab_frame_type type, enum lab_stream stream,
		     const void *payload, size_t length)
{
	(void)payload;
	(void)stream;
	if (type == LAB_FRAME_DATA)
		record_of(client)->output_bytes += length;
	if (type == LAB_FRAME_CREDIT)
		record_of(client)->credits++;
	if (type == LAB_FRAME_FAILED)
		record_of(client)->failures++;
}

void lab_client_exit(struct lab_client *client, uint32_t status)
{
	record_of(client)->exits++;
	record_of(client)->exit_status = status;
}

void lab_client_fail(struct lab_client *client, const char *why)
{
	assert_true(strlen(why) > 0);
	record_of(client)->failures++;
}

void lab_clients_update(struct lab_keeper *keeper)
{
	(void)keeper;
}

void lab_vm_is_ready(struct lab_vm *vm)
{
	vm->state = LAB_VM_READY;
	rig_of(vm->keeper)->record.ready++;
}

void rig_init(struct rig *rig)
{
	int fds[2];

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(lab_loop_init(&rig->keeper.loop), 0);
	snprintf(rig->config.name, sizeof(rig->config.name), "guest");
	rig->vm.keeper = &rig->keeper;
	rig->client.keeper = &rig->keeper;
	rig->vm.config = &rig->config;
	rig->guest = fds[1];
	assert_int_equal(lab_agent_attach(&rig->vm, fds[0]), 0);
}

void rig_destroy(struct rig *rig)
{
	lab_agent_detach(&rig->vm, "the test ends");
	lab_loop_destroy(&rig->keeper.loop);
	close(rig->guest);
}

static void stop(void *context)
{
	lab_loop_stop(context);
}

void rig_run(struct rig *rig)
{
	struct lab_timer timer = {.fn = stop, .context = &rig->keeper.loop};

	/* A timer runs after what is ready: a few rounds see everything through. */
	for (int i = 0; i < 16; i++) {
		lab_timer_set(&rig->keeper.loop, &timer, 0);
		assert_int_equal(lab_loop_run(&rig->keeper.loop), 0);
	}
}

void rig_write(struct rig *rig, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t n = write(rig->guest, at, length);

		if (n > 0) {
			at += n;
			length -= (size_t)n;
		}
		rig_run(rig);
	}
}

void rig_frame(struct rig *rig, enum lab_frame_type type, enum lab_stream stream, uint32_t session,
	       const void *payload, size_t length)
{
	struct lab_frame_header header;

	lab_frame_header(&header, type, stream, session, (uint32_t)length);
	rig_write(rig, &header, sizeof(header));
	rig_write(rig, payload, length);
}

void rig_hello(struct rig *rig)
{
	struct lab_hello hello;

	lab_hello_init(&hello, 42);
	rig_frame(rig, LAB_FRAME_HELLO, LAB_STDIN, 0, &hello, sizeof(hello));
}

uint32_t rig_open(struct rig *rig)
{
	assert_int_equal(lab_session_open(&rig->client, &rig->vm, "exec\0root\0true", 15), 0);
	rig_run(rig);
	return rig->client.session->id;
}
