/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer is the input: it writes any word of the dataport, between any two calls of ours and
 * while we sleep. The address sanitizer sees a byte beside the dataport; here is checked that
 * every call ends with a documented result and that messages lie inside the dataport.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/abi_channel.h>
#include <crossvm/channel.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGION 4096u
/* No call waits more often than this, however its waits end. */
#define WAITS_MAX 64u

struct input {
	const uint8_t *data;
	size_t left;
	uint8_t *region;
	unsigned int waits;
};

static uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	if (bytes > input->left)
		bytes = input->left;
	memcpy(&value, input->data, bytes);
	input->data += bytes;
	input->left -= bytes;
	return value;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Write a word: any, or one near what is there, because most lies are found out at once. */
static void peer_writes(struct input *input)
{
	uint64_t how = take(input, 1);
	uint64_t at = take(input, 2) % (REGION / 8);
	uint64_t *word = (uint64_t *)(void *)(input->region + at * 8);

	switch (how % 6) {
	case 0:
		*word = take(input, 8);
		break;
	case 1:
		*word += (uint64_t)(int64_t)(int8_t)take(input, 1) * 8;
		break;
	case 2:
		*word ^= UINT64_C(1) << (take(input, 1) % 64);
		break;
	case 3:
		*word = CROSSVM_RECORD_MESSAGE << 32 | take(input, 2);
		break;
	case 4:
		*word = CROSSVM_RECORD_PAD << 32 | take(input, 2);
		break;
	default:
		*word = take(input, 1);
		break;
	}
}

static void peer_rings(void *ctx)
{
	(void)ctx;
}

static int peer_moves(void *ctx, uint64_t deadline)
{
	static const int answers[] = {0, 0, 0, -CROSSVM_ETIMEDOUT, -CROSSVM_EPIPE};
	struct input *input = ctx;

	(void)deadline;
	if (++input->waits >= WAITS_MAX || !input->left)
		return -CROSSVM_ETIMEDOUT;
	for (uint64_t n = take(input, 1) % 4; n; n--)
		peer_writes(input);
	return answers[take(input, 1) % 5];
}

static bool documented(int rc)
{
	static const int results[] = {0,
				      -CROSSVM_EAGAIN,
				      -CROSSVM_EINVAL,
				      -CROSSVM_EPIPE,
				      -CROSSVM_ENODATA,
				      -CROSSVM_EPROTO,
				      -CROSSVM_EMSGSIZE,
				      -CROSSVM_ECONNRESET,
				      -CROSSVM_ESHUTDOWN,
				      -CROSSVM_ETIMEDOUT,
				      -CROSSVM_ESTALE};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (rc == results[i])
			return true;
	}
	return false;
}

static void check_message(const struct input *input, const struct crossvm_message *message)
{
	const uint8_t *data = message->data;

	must(data >= input->region && message->size <= REGION &&
	     data + message->size <= input->region + REGION);
}

static void queue_call(struct crossvm_queue *queue, struct input *input)
{
	static uint8_t buffer[REGION];
	const struct crossvm_slice slices[] = {{buffer, take(input, 1)}, {buffer, take(input, 1)}};
	struct crossvm_message messages[4];
	struct crossvm_queue_info info;
	uint64_t deadline = take(input, 1) % 2 ? CROSSVM_FOREVER : CROSSVM_NOW;
	size_t size = take(input, 2) % REGION, count = 0;
	void *room;
	int rc = 0;

	input->waits = 0;
	switch (take(input, 1) % 14) {
	case 0:
		rc = crossvm_queue_send(queue, buffer, size, deadline);
		break;
	case 1:
		rc = crossvm_queue_sendv(queue, slices, 2, deadline);
		break;
	case 2:
		rc = crossvm_queue_send_batch(queue, slices, 2, deadline, &count);
		must(count <= 2 && (rc || count == 2));
		break;
	case 3:
		rc = crossvm_queue_reserve(queue, size, &room, deadline);
		if (!rc) {
			messages[0] = (struct crossvm_message){room, size, 0};
			check_message(input, &messages[0]);
			memset(room, 0x55, size);
		}
		break;
	case 4:
		rc = crossvm_queue_trim(queue, size);
		break;
	case 5:
		crossvm_queue_commit(queue);
		break;
	case 6:
		crossvm_queue_cancel(queue);
		break;
	case 7:
		rc = crossvm_queue_peek_batch(queue, messages, 4, deadline, &count);
		must(count <= 4 && (rc || count));
		for (size_t i = 0; i < count; i++)
			check_message(input, &messages[i]);
		break;
	case 8:
		rc = crossvm_queue_receive(queue, buffer, size, &count, deadline);
		must(rc || count <= size);
		break;
	case 9:
		crossvm_queue_release(queue);
		break;
	case 10:
		crossvm_queue_arm_receive(queue);
		break;
	case 11:
		crossvm_queue_arm_send(queue, size);
		break;
	case 12:
		rc = crossvm_queue_inspect(input->region, REGION, &info);
		break;
	default:
		if (size % 16 == 0)
			crossvm_queue_close_send(queue);
		else if (size % 16 == 1)
			crossvm_queue_close_receive(queue);
		break;
	}
	must(documented(rc) && input->waits <= WAITS_MAX);
	must(rc != -CROSSVM_EPROTO || crossvm_queue_complaint(queue).kind != CROSSVM_FINE);
}

static void against_queue(struct input *input, const struct crossvm_port *port)
{
	uint64_t flags = take(input, 1);
	struct crossvm_queue_config config = {.member = flags & 1, .spin_limit = flags >> 4};
	struct crossvm_queue *queue = malloc(sizeof(*queue));
	bool attached = false;

	must(queue != NULL);
	if (flags & 2)
		config.flags = CROSSVM_QUEUE_POLLING;
	if (flags & 4)
		config.first_ring_bytes = 512;
	while (input->left) {
		uint64_t what = take(input, 1) % 8;

		if (what < 3) {
			peer_writes(input);
		} else if (!attached || what == 7) {
			int rc = crossvm_queue_attach(queue, port, &config);

			attached = !rc;
			must(!rc || rc == -CROSSVM_EPROTO);
			if (rc)
				crossvm_queue_format(port);
		} else {
			queue_call(queue, input);
		}
	}
	if (attached)
		crossvm_queue_detach(queue);
	free(queue);
}

static void reader_call(struct crossvm_broadcast_reader *reader, struct input *input)
{
	static uint8_t buffer[REGION];
	uint64_t deadline = take(input, 1) % 2 ? CROSSVM_FOREVER : CROSSVM_NOW;
	struct crossvm_message message;
	size_t size = 0;
	uint64_t lost;
	int rc;

	input->waits = 0;
	switch (take(input, 1) % 4) {
	case 0:
		rc = crossvm_broadcast_peek(reader, &message, &lost, deadline);
		if (!rc)
			check_message(input, &message);
		break;
	case 1:
		rc = crossvm_broadcast_accept(reader);
		break;
	case 2:
		crossvm_broadcast_idle(reader);
		return;
	default:
		rc = crossvm_broadcast_receive(reader, buffer, REGION / 2, &size, &lost, deadline);
		must(rc || size <= REGION / 2);
		break;
	}
	must(documented(rc));
}

static void against_reader(struct input *input, const struct crossvm_port *port)
{
	struct crossvm_broadcast_reader reader;
	struct crossvm_reader_config config = {.from_oldest = take(input, 1) % 2, .spin_limit = 2};
	int rc = -1;

	while (input->left) {
		uint64_t what = take(input, 1) % 8;

		if (what < 4)
			peer_writes(input);
		else if (rc || what == 7)
			rc = crossvm_broadcast_reader_attach(&reader, port, &config);
		else
			reader_call(&reader, input);
	}
}

static void against_writer(struct input *input, const struct crossvm_port *port)
{
	static uint8_t buffer[REGION];
	struct crossvm_broadcast_writer writer;
	struct crossvm_broadcast_config config = {.ring_every = (uint32_t)take(input, 1)};
	int rc = -1;

	while (input->left) {
		uint64_t what = take(input, 1) % 8;

		if (what < 3) {
			peer_writes(input);
		} else if (rc || what == 7) {
			rc = crossvm_broadcast_writer_attach(&writer, port, &config);
			if (rc)
				crossvm_broadcast_format(port);
		} else {
			must(documented(
				crossvm_broadcast_send(&writer, buffer, take(input, 2) % REGION)));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {.data = data, .left = size};
	struct crossvm_port port = {.bytes = REGION, .ring = peer_rings, .wait = peer_moves};

	input.region = aligned_alloc(64, REGION);
	must(input.region != NULL);
	memset(input.region, 0, REGION);
	port.memory = input.region;
	port.ctx = &input;
	switch (take(&input, 1) % 4) {
	case 0:
		against_reader(&input, &port);
		break;
	case 1:
		against_writer(&input, &port);
		break;
	default:
		against_queue(&input, &port);
		break;
	}
	free(input.region);
	return 0;
}
