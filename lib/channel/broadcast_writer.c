/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writing side of a broadcast.
 *
 * Readers cannot hold the writer up, so it overwrites what it wrote longest ago. Before it
 * overwrites a record it publishes that everything up to the next one is gone ("oldest"); a
 * reader looks at that after it has copied, and throws away what was gone by then. Payload words
 * are stored one by one, because readers load them at the same time.
 */
#include <string.h>

#include "lib/channel/atomic.h"
#include "lib/channel/complaint.h"
#include "lib/channel/geometry.h"
#include "lib/channel/journal.h"
#include "lib/channel/record.h"
#include "lib/channel/wait.h"

/* Gathers bytes into words. */
struct sink {
	uint64_t *to;
	uint64_t word;
	uint64_t filled; /* bytes of word */
};

static void sink_put(struct sink *sink, const void *data, uint64_t size)
{
	const uint8_t *from = data;

	while (size) {
		uint64_t n = sizeof(sink->word) - sink->filled;

		if (n > size)
			n = size;
		memcpy((uint8_t *)&sink->word + sink->filled, from, n);
		sink->filled += n;
		from += n;
		size -= n;
		if (sink->filled == sizeof(sink->word)) {
			store(sink->to++, sink->word);
			sink->word = 0;
			sink->filled = 0;
		}
	}
}

static void sink_end(struct sink *sink)
{
	if (sink->filled)
		store(sink->to, sink->word);
}

static int writer_attach_positions(struct crossvm_broadcast_writer *w)
{
	uint64_t head = load(&w->shared->head);
	uint64_t oldest = load(&w->shared->oldest);
	struct crossvm_abi_count count;

	if (head >= CROSSVM_POSITION_LIMIT || head % CROSSVM_RECORD_ALIGN)
		return complain(&w->complaint, CROSSVM_BAD_OWN_POSITION, CROSSVM_POSITION_LIMIT,
				head);
	if (oldest > head || head - oldest > w->ring_bytes || oldest % CROSSVM_RECORD_ALIGN)
		return complain(&w->complaint, CROSSVM_BAD_OWN_POSITION, head, oldest);
	if (!journal_find(&w->shared->sent, head, &w->entry, &count))
		return complain(&w->complaint, CROSSVM_BAD_OWN_COUNT, head, 0);
	w->entry ^= 1;
	w->head = head;
	w->head_offset = head % w->ring_bytes;
	w->oldest = oldest;
	w->oldest_offset = oldest % w->ring_bytes;
	w->messages = count.messages;
	w->bytes = count.bytes;
	return 0;
}

static void writer_ring(struct crossvm_broadcast_writer *w)
{
	channel_wait_count(&w->shared->stats.sender.doorbells);
	w->unrung = 0;
	w->port.ring(w->port.ctx);
}

int crossvm_broadcast_writer_attach(struct crossvm_broadcast_writer *w,
				    const struct crossvm_port *port,
				    const struct crossvm_broadcast_config *config)
{
	struct crossvm_abi_hello hello;
	struct crossvm_abi_state *state;
	int rc = channel_geometry_check_port(port);

	memset(w, 0, sizeof(*w));
	if (rc || !port->ring)
		return -CROSSVM_EINVAL;
	channel_geometry_broadcast(&hello, port->bytes);
	w->port = *port;
	w->shared = port->memory;
	w->ring = (uint8_t *)port->memory + hello.ring_offset[0];
	w->ring_bytes = hello.ring_bytes[0];
	w->ring_every = config->ring_every ? config->ring_every : 1;

	if (load(&w->shared->writer.hello.magic))
		rc = channel_geometry_compare(&hello, &w->shared->writer.hello, &w->complaint);
	if (!rc)
		rc = writer_attach_positions(w);
	if (rc)
		return rc;

	state = &w->shared->writer.state;
	channel_geometry_publish(&hello, &w->shared->writer.hello);
	store(&state->send_closed, 0);
	store(&state->start_position, w->head);
	/* Acquired by readers in reader_check_writer. */
	store_release(&state->incarnation, load(&state->incarnation) + 1);
	writer_ring(w);
	return 0;
}

void crossvm_broadcast_writer_detach(struct crossvm_broadcast_writer *w)
{
	if (!w->shared)
		return;
	/* Acquired by readers in reader_end. */
	store_release(&w->shared->writer.state.send_closed, 1);
	writer_ring(w);
	w->shared = NULL;
}

int crossvm_broadcast_format(const struct crossvm_port *port)
{
	int rc = channel_geometry_check_port(port);

	if (rc)
		return rc;
	for (uint64_t i = 0; i < sizeof(struct crossvm_abi_broadcast) / sizeof(uint64_t); i++)
		store((uint64_t *)port->memory + i, 0);
	fence(false);
	return 0;
}

size_t crossvm_broadcast_max_message(const struct crossvm_broadcast_writer *w)
{
	return (size_t)((w->ring_bytes / 2) & ~(CROSSVM_RECORD_ALIGN - 1)) -
	       CROSSVM_BROADCAST_HEADER_BYTES;
}

/* Step over the oldest record. It is our own, but what is in shared memory is never trusted. */
static int writer_drop_oldest(struct crossvm_broadcast_writer *w)
{
	uint64_t header = load(ring_word(w->ring, w->oldest_offset));
	uint64_t kind = record_kind(header);
	uint64_t header_bytes = kind == CROSSVM_RECORD_PAD ? CROSSVM_RECORD_HEADER_BYTES
							   : CROSSVM_BROADCAST_HEADER_BYTES;
	uint64_t span = record_span(header_bytes, record_size(header));

	if (kind != CROSSVM_RECORD_PAD && kind != CROSSVM_RECORD_MESSAGE)
		return complain(&w->complaint, CROSSVM_BAD_RECORD_KIND, CROSSVM_RECORD_MESSAGE,
				kind);
	if (span > w->head - w->oldest || span > w->ring_bytes - w->oldest_offset)
		return complain(&w->complaint, CROSSVM_BAD_RECORD_SIZE, w->head - w->oldest, span);
	w->oldest += span;
	w->oldest_offset += span;
	if (w->oldest_offset == w->ring_bytes)
		w->oldest_offset = 0;
	return 0;
}

static int writer_claim(struct crossvm_broadcast_writer *w, uint64_t total)
{
	if (w->complaint.kind != CROSSVM_FINE)
		return -CROSSVM_EPROTO;
	if (w->head + total - w->oldest <= w->ring_bytes)
		return 0;
	while (w->head + total - w->oldest > w->ring_bytes) {
		int rc = writer_drop_oldest(w);

		if (rc)
			return rc;
	}
	store(&w->shared->oldest, w->oldest);
	/*
	 * The claim comes before the overwriting, for a reader that sees any of it: pairs with
	 * the acquire fence in reader_intact.
	 */
	fence_release();
	return 0;
}

static int writer_publish(struct crossvm_broadcast_writer *w, const struct crossvm_slice *slices,
			  size_t count, uint64_t size)
{
	uint64_t span = record_span(CROSSVM_BROADCAST_HEADER_BYTES, size);
	uint64_t contiguous = w->ring_bytes - w->head_offset;
	uint64_t pad = span > contiguous ? contiguous : 0;
	struct sink sink = {0};
	int rc = writer_claim(w, pad + span);

	if (rc)
		return rc;
	if (pad) {
		store(ring_word(w->ring, w->head_offset),
		      record_header(CROSSVM_RECORD_PAD, pad - CROSSVM_RECORD_HEADER_BYTES));
		w->head_offset = 0;
	}
	sink.to = ring_word(w->ring, w->head_offset);
	store(sink.to++, record_header(CROSSVM_RECORD_MESSAGE, size));
	store(sink.to++, w->messages);
	for (size_t i = 0; i < count; i++)
		sink_put(&sink, slices[i].data, slices[i].size);
	sink_end(&sink);

	w->head += pad + span;
	w->head_offset += span;
	if (w->head_offset == w->ring_bytes)
		w->head_offset = 0;
	w->messages++;
	w->bytes += size;
	journal_prepare(&w->shared->sent, w->entry, w->head, w->messages, w->bytes);
	w->entry ^= 1;
	/* Acquired by readers in reader_look. */
	store_release(&w->shared->head, w->head);
	w->unrung++;
	return 0;
}

int crossvm_broadcast_sendv(struct crossvm_broadcast_writer *w, const struct crossvm_slice *slices,
			    size_t count)
{
	size_t max = crossvm_broadcast_max_message(w);
	uint64_t size = 0;
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (slices[i].size > max - size)
			return -CROSSVM_EMSGSIZE;
		size += slices[i].size;
	}
	rc = writer_publish(w, slices, count, size);
	if (!rc && w->unrung >= w->ring_every)
		writer_ring(w);
	return rc;
}

int crossvm_broadcast_send(struct crossvm_broadcast_writer *w, const void *data, size_t size)
{
	const struct crossvm_slice slice = {data, size};

	return crossvm_broadcast_sendv(w, &slice, 1);
}

int crossvm_broadcast_send_batch(struct crossvm_broadcast_writer *w,
				 const struct crossvm_slice *messages, size_t count, size_t *sent)
{
	size_t max = crossvm_broadcast_max_message(w);
	int rc = 0;

	*sent = 0;
	while (*sent < count && !rc) {
		rc = messages[*sent].size <= max
			     ? writer_publish(w, &messages[*sent], 1, messages[*sent].size)
			     : -CROSSVM_EMSGSIZE;
		if (!rc)
			++*sent;
	}
	if (w->unrung >= w->ring_every)
		writer_ring(w);
	return rc;
}

void crossvm_broadcast_flush(struct crossvm_broadcast_writer *w)
{
	if (w->unrung)
		writer_ring(w);
}
