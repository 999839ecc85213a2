/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/forward_mux.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HEADER     sizeof(struct crossvm_forward_frame)
#define CHUNK_MAX  ((size_t)65536)
#define FRAMES_MAX 64 /* before sockets have their turn again */

int forward_mux_init(struct forward_mux *mux, struct crossvm_queue *queue, bool listens,
		     const struct forward_address *address)
{
	size_t chunk = crossvm_queue_max_message(queue) / 2 - HEADER;

	memset(mux, 0, sizeof(*mux));
	mux->queue = queue;
	mux->listens = listens;
	mux->address = *address;
	mux->chunk = chunk < CHUNK_MAX ? chunk : CHUNK_MAX;
	mux->hello_due = true;
	if (getrandom(&mux->session, sizeof(mux->session), 0) != sizeof(mux->session))
		return -errno;
	mux->session |= 1;
	return 0;
}

struct forward_stream *forward_mux_free_stream(struct forward_mux *mux)
{
	for (size_t i = 0; mux->together && i < CROSSVM_FORWARD_STREAMS; i++) {
		if (!mux->streams[i].used)
			return &mux->streams[i];
	}
	return NULL;
}

void forward_mux_other_gone(struct forward_mux *mux)
{
	for (size_t i = 0; i < CROSSVM_FORWARD_STREAMS; i++)
		forward_stream_drop(&mux->streams[i]);
	mux->together = false;
}

static int violation(struct forward_mux *mux, const char *what)
{
	mux->wrong = what;
	return -EPROTO;
}

/* What a HELLO says, each word read once: the other side may still be writing it. */
static struct crossvm_forward_hello read_hello(const struct crossvm_message *message)
{
	uint64_t words[sizeof(struct crossvm_forward_hello) / sizeof(uint64_t)];
	struct crossvm_forward_hello hello;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = __atomic_load_n((const uint64_t *)message->data + i, __ATOMIC_RELAXED);
	memcpy(&hello, words, sizeof(hello));
	return hello;
}

/* 1: there is room; 0: not now; or an error. */
static int reserve(struct forward_mux *mux, size_t size, void **room)
{
	int rc;

	do {
		rc = crossvm_queue_reserve(mux->queue, size, room, CROSSVM_NOW);
	} while (rc == -ECONNRESET);
	if (!rc)
		return 1;
	if (rc == -EAGAIN)
		mux->full = true;
	else if (rc == -ESHUTDOWN) /* it will be followed by another, who rings when it comes */
		forward_mux_other_gone(mux);
	else
		return rc;
	return 0;
}

static int send_hello(struct forward_mux *mux)
{
	const struct crossvm_forward_hello hello = {
		.frame.type = CROSSVM_FORWARD_HELLO,
		.magic = CROSSVM_FORWARD_MAGIC,
		.version = CROSSVM_FORWARD_VERSION,
		.session = mux->session,
		.answers = mux->other_session,
		.role = mux->listens ? CROSSVM_FORWARD_LISTENS : CROSSVM_FORWARD_CONNECTS,
	};
	void *room;
	int rc = reserve(mux, sizeof(hello), &room);

	if (rc <= 0)
		return rc;
	memcpy(room, &hello, sizeof(hello));
	crossvm_queue_commit(mux->queue);
	mux->hello_due = false;
	return 1;
}

/* Why the two sides do not fit together, or NULL. */
static const char *hello_mismatch(const struct forward_mux *mux,
				  const struct crossvm_forward_hello *hello)
{
	if (hello->version != CROSSVM_FORWARD_VERSION)
		return "another version; install matching versions of crossvm";
	if (hello->role == (mux->listens ? CROSSVM_FORWARD_LISTENS : CROSSVM_FORWARD_CONNECTS))
		return "the same as we do; one side must --listen, the other not";
	return NULL;
}

static int take_hello(struct forward_mux *mux, const struct crossvm_message *message)
{
	struct crossvm_forward_hello hello;
	const char *wrong;

	if (message->size != sizeof(hello))
		return violation(mux, "a HELLO of a wrong size");
	hello = read_hello(message);
	if (hello.magic != CROSSVM_FORWARD_MAGIC || !hello.session)
		return violation(mux, "a HELLO that is none");
	/* A new one; or one that does not know us yet; or this is from before it, or we, began. */
	if (hello.session != mux->other_session || hello.answers != mux->session) {
		forward_mux_other_gone(mux);
		mux->other_session = hello.session;
		mux->hello_due = true;
	}
	if (hello.answers != mux->session)
		return 0;
	wrong = hello_mismatch(mux, &hello);
	mux->together = !wrong;
	if (!wrong)
		return 0;
	/* So that the other side learns it too, instead of waiting for the next one. */
	if (mux->hello_due)
		(void)send_hello(mux);
	return violation(mux, wrong);
}

static int take_open(struct forward_mux *mux, struct forward_stream *stream)
{
	if (mux->listens || stream->used)
		return violation(mux, "an OPEN where it may not");
	forward_stream_connect(stream, &mux->address);
	return 0;
}

static int take_data(struct forward_mux *mux, struct forward_stream *stream,
		     const struct crossvm_message *message)
{
	size_t size = message->size - HEADER;

	if (stream->end_received)
		return violation(mux, "DATA after END");
	if (stream->broken)
		return 0;
	if (size > CROSSVM_FORWARD_WINDOW_BYTES - stream->held_bytes - stream->owed)
		return violation(mux, "more DATA than it has credit for");
	forward_stream_deliver(stream, (const uint8_t *)message->data + HEADER, (uint32_t)size);
	return 0;
}

static int take_credit(struct forward_mux *mux, struct forward_stream *stream, uint32_t credit)
{
	if (credit > CROSSVM_FORWARD_WINDOW_BYTES - stream->credit)
		return violation(mux, "more CREDIT than it has got DATA");
	stream->credit += credit;
	return 0;
}

static int take_end(struct forward_mux *mux, struct forward_stream *stream)
{
	if (stream->end_received)
		return violation(mux, "END twice");
	stream->end_received = true;
	forward_stream_flush(stream);
	return 0;
}

static int take_reset(struct forward_mux *mux, struct forward_stream *stream)
{
	if (stream->reset_received)
		return violation(mux, "RESET twice");
	stream->reset_received = true;
	forward_stream_break(stream);
	return 0;
}

static int take_from_stream(struct forward_mux *mux, struct forward_stream *stream,
			    const struct crossvm_forward_frame *frame,
			    const struct crossvm_message *message)
{
	int rc;

	switch (frame->type) {
	case CROSSVM_FORWARD_DATA:
		rc = take_data(mux, stream, message);
		break;
	case CROSSVM_FORWARD_CREDIT:
		rc = take_credit(mux, stream, frame->credit);
		break;
	case CROSSVM_FORWARD_END:
		rc = take_end(mux, stream);
		break;
	case CROSSVM_FORWARD_RESET:
		rc = take_reset(mux, stream);
		break;
	default:
		return violation(mux, "a frame of an unknown type");
	}
	/* At once: the next frame may open the number again. */
	forward_stream_finish(stream);
	return rc;
}

static int take(struct forward_mux *mux, const struct crossvm_message *message)
{
	struct crossvm_forward_frame frame;
	struct forward_stream *stream;
	uint64_t word;

	if (message->size < HEADER)
		return violation(mux, "a message that is too short");
	word = __atomic_load_n((const uint64_t *)message->data, __ATOMIC_RELAXED);
	memcpy(&frame, &word, sizeof(frame));
	if (frame.type == CROSSVM_FORWARD_HELLO)
		return take_hello(mux, message);
	if (!mux->together)
		return 0;
	if (frame.stream >= CROSSVM_FORWARD_STREAMS)
		return violation(mux, "a stream that there cannot be");
	stream = &mux->streams[frame.stream];
	if (frame.type == CROSSVM_FORWARD_OPEN)
		return take_open(mux, stream);
	if (!stream->used || stream->open_due)
		return violation(mux, "something on a stream that is not open");
	return take_from_stream(mux, stream, &frame, message);
}

int forward_mux_receive(struct forward_mux *mux)
{
	mux->other_left = false;
	for (int i = 0; i < FRAMES_MAX; i++) {
		struct crossvm_message message;
		int rc = crossvm_queue_peek(mux->queue, &message, CROSSVM_NOW);

		if (rc == -ECONNRESET)
			continue;
		if (rc == -ENODATA) {
			mux->other_left = true;
			forward_mux_other_gone(mux);
		}
		if (rc == -ENODATA || rc == -EAGAIN)
			return 0;
		if (!rc)
			rc = take(mux, &message);
		if (rc)
			return rc;
		crossvm_queue_release(mux->queue);
	}
	return 0;
}

static int send_frame(struct forward_mux *mux, const struct forward_stream *stream, uint16_t type,
		      uint32_t credit)
{
	const struct crossvm_forward_frame frame = {
		.type = type,
		.stream = (uint16_t)(stream - mux->streams),
		.credit = credit,
	};
	void *room;
	int rc = reserve(mux, sizeof(frame), &room);

	if (rc <= 0)
		return rc;
	memcpy(room, &frame, sizeof(frame));
	crossvm_queue_commit(mux->queue);
	return 1;
}

/* What is due first. 1: sent; 0: no room; or an error. */
static int send_one(struct forward_mux *mux, struct forward_stream *stream)
{
	uint32_t credit;
	int rc;

	if (stream->broken) {
		rc = send_frame(mux, stream, CROSSVM_FORWARD_RESET, 0);
		stream->reset_sent = rc > 0;
		return rc;
	}
	if (stream->open_due) {
		rc = send_frame(mux, stream, CROSSVM_FORWARD_OPEN, 0);
		stream->open_due = rc <= 0;
		return rc;
	}
	credit = forward_stream_credit_due(stream);
	if (credit) {
		rc = send_frame(mux, stream, CROSSVM_FORWARD_CREDIT, credit);
		if (rc > 0)
			stream->owed = 0;
		return rc;
	}
	rc = send_frame(mux, stream, CROSSVM_FORWARD_END, 0);
	stream->end_sent = rc > 0;
	return rc;
}

int forward_mux_send_control(struct forward_mux *mux)
{
	int rc = 1;

	if (mux->hello_due)
		rc = send_hello(mux);
	for (size_t i = 0; rc > 0 && mux->together && i < CROSSVM_FORWARD_STREAMS; i++) {
		struct forward_stream *stream = &mux->streams[i];

		forward_stream_finish(stream);
		while (rc > 0 && forward_stream_has_control(stream))
			rc = send_one(mux, stream);
		forward_stream_finish(stream);
	}
	return rc < 0 ? rc : 0;
}

int forward_mux_send_data(struct forward_mux *mux, struct forward_stream *stream)
{
	const struct crossvm_forward_frame frame = {
		.type = CROSSVM_FORWARD_DATA,
		.stream = (uint16_t)(stream - mux->streams),
	};
	size_t size = stream->credit < mux->chunk ? stream->credit : mux->chunk;
	void *room;
	ssize_t n;
	int rc = reserve(mux, HEADER + size, &room);

	if (rc <= 0)
		return rc;
	/* Straight from the socket into the dataport. */
	n = read(stream->fd, (char *)room + HEADER, size);
	if (n <= 0) {
		crossvm_queue_cancel(mux->queue);
		if (n == 0)
			stream->read_all = true;
		else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			forward_stream_break(stream);
		return 0;
	}
	memcpy(room, &frame, sizeof(frame));
	crossvm_queue_trim(mux->queue, HEADER + (size_t)n);
	crossvm_queue_commit(mux->queue);
	stream->credit -= (uint32_t)n;
	return 0;
}

bool forward_mux_arm(struct forward_mux *mux)
{
	if (mux->full && !crossvm_queue_arm_send(mux->queue, HEADER + mux->chunk))
		return false;
	return mux->other_left || crossvm_queue_arm_receive(mux->queue);
}
