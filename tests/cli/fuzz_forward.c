/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An input is a script of what clients, servers and the other side of forward do. A hostile other side
 * says anything, and forward stays within its bounds; with two honest sides, nobody is ever accused,
 * and when all programs have gone no stream is left. Descriptors are all given back.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/forward_mux.h"

#define REGION_BYTES 32768
#define PROGRAMS     16
#define TURNS_TO_END 400
#define OTHER        UINT64_C(42) /* session */

struct script {
	const uint8_t *data;
	size_t left;
};

static _Alignas(64) uint8_t region[REGION_BYTES];
static struct forward_mux muxes[2]; /* the second only where both are honest */
static struct crossvm_queue queues[2];
static int programs[PROGRAMS]; /* what clients and servers hold; -1: nothing */
static int held;               /* descriptors that both hold */

static void ring(void *ctx)
{
	(void)ctx;
}

static int no_wait(void *ctx, uint64_t deadline)
{
	(void)ctx;
	(void)deadline;
	return -CROSSVM_ETIMEDOUT;
}

/* In place of forward_address.c: a socket whose other end is a program's. */
static int new_socket(void)
{
	int pair[2];

	for (int i = 0; i < PROGRAMS; i++) {
		if (programs[i] >= 0)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
			return -errno;
		programs[i] = pair[1];
		held++;
		return pair[0];
	}
	return -ECONNREFUSED;
}

int forward_address_connect(const struct forward_address *address, bool *connected)
{
	static int turn;

	(void)address;
	turn = (turn + 1) % 5;
	if (turn == 0)
		return -EAGAIN;
	*connected = turn != 1;
	return new_socket();
}

void forward_socket_prepare(int fd)
{
	(void)fd;
}

void forward_socket_abort(int fd)
{
	assert(!close(fd));
	held--;
}

static uint8_t next(struct script *script)
{
	if (!script->left)
		return 0;
	script->left--;
	return *script->data++;
}

static void say_hello(bool right)
{
	const struct crossvm_forward_hello hello = {
		.frame.type = CROSSVM_FORWARD_HELLO,
		.magic = CROSSVM_FORWARD_MAGIC,
		.version = CROSSVM_FORWARD_VERSION,
		.session = OTHER,
		.answers = right ? muxes[0].session : 7,
		.role = muxes[0].listens ? CROSSVM_FORWARD_CONNECTS : CROSSVM_FORWARD_LISTENS,
	};

	(void)crossvm_queue_send(&queues[1], &hello, sizeof(hello), CROSSVM_NOW);
}

static void say_anything(struct script *script)
{
	static uint8_t message[8192];
	struct crossvm_forward_frame frame = {
		.type = next(script) % 8,
		.stream = next(script) % (CROSSVM_FORWARD_STREAMS + 4),
		.credit = (uint32_t)next(script) << (next(script) % 16),
	};
	size_t size = (size_t)next(script) << (next(script) % 6);

	if (next(script) % 4)
		frame.stream %= 4; /* so that they meet */
	memcpy(message, &frame, sizeof(frame));
	if (size)
		size += sizeof(frame) - 1;
	(void)crossvm_queue_send(&queues[1], message, size ? size : sizeof(frame), CROSSVM_NOW);
}

static void act_as_program(struct script *script)
{
	static char buffer[65536];
	int *fd = &programs[next(script) % PROGRAMS];
	size_t size = (size_t)next(script) * 257;

	if (*fd < 0)
		return;
	switch (next(script) % 4) {
	case 0:
		(void)send(*fd, buffer, size, MSG_NOSIGNAL);
		break;
	case 1:
		(void)recv(*fd, buffer, size, 0);
		break;
	case 2:
		(void)shutdown(*fd, SHUT_WR);
		break;
	default:
		close(*fd);
		*fd = -1;
	}
}

/* How many descriptors there should be. */
static int check(void)
{
	int open = 0;

	for (size_t i = 0; i < 2 * CROSSVM_FORWARD_STREAMS; i++) {
		const struct forward_stream *stream =
			&muxes[i / CROSSVM_FORWARD_STREAMS].streams[i % CROSSVM_FORWARD_STREAMS];

		if (!stream->used) {
			assert(!stream->held);
			continue;
		}
		open += stream->fd >= 0;
		assert(stream->credit <= CROSSVM_FORWARD_WINDOW_BYTES);
		if (!stream->broken)
			assert(stream->held_bytes + stream->owed <= CROSSVM_FORWARD_WINDOW_BYTES);
	}
	return open;
}

static int serve_sockets(struct forward_mux *mux, bool accept)
{
	struct forward_stream *stream;
	int rc = 0, fd;

	for (size_t i = 0; i < CROSSVM_FORWARD_STREAMS && !rc; i++) {
		stream = &mux->streams[i];
		if (!stream->used || stream->broken)
			continue;
		if (stream->connecting)
			forward_stream_connected(stream, &mux->address);
		else if (stream->held_bytes)
			forward_stream_flush(stream);
		if (forward_stream_wants_input(stream))
			rc = forward_mux_send_data(mux, stream);
	}
	stream = mux->listens && accept ? forward_mux_free_stream(mux) : NULL;
	fd = stream ? new_socket() : -1;
	if (fd >= 0)
		forward_stream_accept(stream, fd);
	return rc;
}

/* A turn of forward's loop. */
static int turn(struct forward_mux *mux, bool accept)
{
	int rc;

	mux->full = false;
	rc = serve_sockets(mux, accept);
	assert(check() == held);
	if (!rc)
		rc = forward_mux_receive(mux);
	if (!rc)
		rc = forward_mux_send_control(mux);
	/* What is complete is closed there, in good order. */
	assert(check() <= held);
	held = check();
	(void)forward_mux_arm(mux);
	return rc;
}

static void drain(void)
{
	struct crossvm_message message;

	while (!crossvm_queue_peek(&queues[1], &message, CROSSVM_NOW))
		crossvm_queue_release(&queues[1]);
}

static void begin(bool listens, bool honest)
{
	const struct forward_address nowhere = {0};
	const struct crossvm_port port = {
		.memory = region, .bytes = sizeof(region), .ring = ring, .wait = no_wait};

	memset(region, 0, sizeof(region));
	memset(muxes, 0, sizeof(muxes));
	for (unsigned int i = 0; i < 2; i++) {
		const struct crossvm_queue_config config = {.member = i};

		assert(!crossvm_queue_attach(&queues[i], &port, &config));
	}
	for (int i = 0; i < PROGRAMS; i++)
		programs[i] = -1;
	held = 0;
	assert(!forward_mux_init(&muxes[0], &queues[0], listens, &nowhere));
	if (honest)
		assert(!forward_mux_init(&muxes[1], &queues[1], !listens, &nowhere));
}

static void end_programs(void)
{
	for (int i = 0; i < PROGRAMS; i++) {
		if (programs[i] >= 0)
			close(programs[i]);
		programs[i] = -1;
	}
}

static void end(void)
{
	forward_mux_other_gone(&muxes[0]);
	forward_mux_other_gone(&muxes[1]);
	assert(!held);
	end_programs();
}

static bool streams_in_use(void)
{
	bool used = false;

	for (size_t i = 0; i < CROSSVM_FORWARD_STREAMS; i++)
		used |= muxes[0].streams[i].used || muxes[1].streams[i].used;
	return used;
}

static void both_honest(struct script *script)
{
	while (script->left) {
		uint8_t what = next(script);

		if (what % 2)
			act_as_program(script);
		else
			assert(!turn(&muxes[what / 2 % 2], what / 4 % 2));
	}
	/* Servers that are still being connected to end as well. */
	for (int i = 0; i < TURNS_TO_END && (i < 4 || streams_in_use()); i++) {
		end_programs();
		assert(!turn(&muxes[i % 2], false));
	}
	assert(!streams_in_use());
}

static void other_hostile(struct script *script)
{
	int rc = 0;

	if (next(script) % 8)
		say_hello(true);
	while (script->left && !rc) {
		switch (next(script) % 8) {
		case 0:
		case 1:
		case 2:
			say_anything(script);
			break;
		case 3:
			act_as_program(script);
			break;
		case 4:
			say_hello(next(script) % 4);
			break;
		case 5:
			drain();
			break;
		default:
			rc = turn(&muxes[0], next(script) % 2);
		}
	}
	assert(!rc || rc == -EPROTO);
	assert(!rc || muxes[0].wrong);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, size};
	uint8_t how = next(&script);
	bool honest = how / 2 % 2;

	begin(how % 2, honest);
	if (honest)
		both_honest(&script);
	else
		other_hostile(&script);
	end();
	return 0;
}
