/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/forward_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW CROSSVM_FORWARD_WINDOW_BYTES

static void begin(struct forward_stream *stream, int fd)
{
	*stream = (struct forward_stream){.used = true, .fd = fd, .credit = WINDOW};
}

void forward_stream_accept(struct forward_stream *stream, int fd)
{
	begin(stream, fd);
	forward_socket_prepare(fd);
	stream->open_due = true;
}

static void try_to_connect(struct forward_stream *stream, const struct forward_address *address)
{
	bool connected = false;
	int fd = forward_address_connect(address, &connected);

	stream->retry = fd == -EAGAIN;
	stream->connecting = !connected;
	stream->fd = fd < 0 ? -1 : fd;
	if (fd < 0 && !stream->retry)
		forward_stream_break(stream);
}

void forward_stream_connect(struct forward_stream *stream, const struct forward_address *address)
{
	begin(stream, -1);
	try_to_connect(stream, address);
}

void forward_stream_connected(struct forward_stream *stream, const struct forward_address *address)
{
	socklen_t bytes = sizeof(int);
	int error = 0;

	if (stream->retry) {
		try_to_connect(stream, address);
	} else if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) || error) {
		forward_stream_break(stream);
	} else {
		stream->connecting = false;
	}
	if (!stream->connecting)
		forward_stream_flush(stream);
}

/* Write what the socket takes. Afterwards the stream may be broken. @return how many bytes. */
static uint32_t deliver_now(struct forward_stream *stream, const uint8_t *data, uint32_t size)
{
	uint32_t done = 0;

	while (done < size) {
		ssize_t n = send(stream->fd, data + done, size - done, MSG_NOSIGNAL);

		if (n >= 0) {
			done += (uint32_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			break;
		} else if (errno != EINTR) {
			forward_stream_break(stream);
			return 0;
		}
	}
	stream->owed += done;
	return done;
}

static void hold(struct forward_stream *stream, const uint8_t *data, uint32_t size)
{
	uint32_t start = (stream->held_start + stream->held_bytes) % WINDOW;
	uint32_t first = size < WINDOW - start ? size : WINDOW - start;

	if (!stream->held)
		stream->held = malloc(WINDOW);
	if (!stream->held) {
		forward_stream_break(stream);
		return;
	}
	memcpy(stream->held + start, data, first);
	memcpy(stream->held, data + first, size - first);
	stream->held_bytes += size;
}

void forward_stream_deliver(struct forward_stream *stream, const uint8_t *data, uint32_t size)
{
	uint32_t done = 0;

	if (!stream->held_bytes && !stream->connecting)
		done = deliver_now(stream, data, size);
	if (!stream->broken && done < size)
		hold(stream, data + done, size - done);
}

void forward_stream_flush(struct forward_stream *stream)
{
	while (stream->held_bytes && !stream->broken) {
		uint32_t part = WINDOW - stream->held_start;
		uint32_t done;

		if (part > stream->held_bytes)
			part = stream->held_bytes;
		done = deliver_now(stream, stream->held + stream->held_start, part);
		/* Broken: nothing is held any more. */
		if (!done)
			return;
		stream->held_start = (stream->held_start + done) % WINDOW;
		stream->held_bytes -= done;
	}
	if (stream->broken)
		return;
	free(stream->held);
	stream->held = NULL;
	if (stream->end_received && !stream->shut && !stream->connecting) {
		/* It may have gone already: that is no reason to break off what comes from it. */
		(void)shutdown(stream->fd, SHUT_WR);
		stream->shut = true;
	}
}

uint32_t forward_stream_credit_due(const struct forward_stream *stream)
{
	bool last = stream->end_received && !stream->held_bytes;

	return stream->owed >= WINDOW / 4 || last ? stream->owed : 0;
}

bool forward_stream_wants_input(const struct forward_stream *stream)
{
	return stream->used && !stream->open_due && !stream->connecting && !stream->broken &&
	       !stream->read_all && stream->credit;
}

bool forward_stream_has_control(const struct forward_stream *stream)
{
	if (!stream->used)
		return false;
	if (stream->broken)
		return !stream->reset_sent;
	return stream->open_due || forward_stream_credit_due(stream) ||
	       (stream->read_all && !stream->end_sent);
}

static void let_go(struct forward_stream *stream)
{
	if (stream->fd >= 0)
		forward_socket_abort(stream->fd);
	free(stream->held);
	stream->held = NULL;
	stream->held_bytes = 0;
	stream->fd = -1;
	stream->connecting = false;
	stream->retry = false;
}

void forward_stream_break(struct forward_stream *stream)
{
	let_go(stream);
	stream->broken = true;
}

void forward_stream_drop(struct forward_stream *stream)
{
	if (!stream->used)
		return;
	let_go(stream);
	stream->used = false;
}

/* Every byte, and both ends, have been passed on and acknowledged: see abi_forward.h. */
static bool is_complete(const struct forward_stream *stream)
{
	return stream->end_sent && stream->credit == WINDOW && stream->end_received &&
	       stream->shut && !stream->owed;
}

void forward_stream_finish(struct forward_stream *stream)
{
	if (!stream->used)
		return;
	if (stream->broken) {
		/* The other side has not heard of one that broke before its OPEN. */
		stream->used = !stream->open_due && !(stream->reset_sent && stream->reset_received);
	} else if (is_complete(stream)) {
		close(stream->fd);
		stream->fd = -1;
		stream->used = false;
	}
}
