/* SPDX-License-Identifier: BSD-2-Clause */
/* The reading side of a broadcast. It never writes the dataport. */
#include <string.h>

#include "lib/channel/atomic.h"
#include "lib/channel/complaint.h"
#include "lib/channel/geometry.h"
#include "lib/channel/journal.h"
#include "lib/channel/record.h"
#include "lib/channel/wait.h"

/* Overtaken so often in a row, a reader goes on with the next message to come. */
#ifndef OVERTAKEN_MAX
#define OVERTAKEN_MAX 4u
#endif

static void reader_go_to(struct crossvm_broadcast_reader *r, uint64_t position)
{
	r->position = position;
	r->offset = position % r->ring_bytes;
}

int crossvm_broadcast_reader_attach(struct crossvm_broadcast_reader *r,
				    const struct crossvm_port *port,
				    const struct crossvm_reader_config *config)
{
	struct crossvm_abi_hello hello;
	int rc = channel_geometry_check_port(port);

	memset(r, 0, sizeof(*r));
	if (rc || !port->wait)
		return -CROSSVM_EINVAL;
	channel_geometry_broadcast(&hello, port->bytes);
	r->port = *port;
	r->shared = port->memory;
	r->ring = (const uint8_t *)port->memory + hello.ring_offset[0];
	r->ring_bytes = hello.ring_bytes[0];
	r->from_oldest = config->from_oldest;
	channel_spin_init(&r->spin, config->spin_limit);
	/* Acquires the release at the end of the writer's attach. */
	r->incarnation = load_acquire(&r->shared->writer.state.incarnation);
	if (!r->incarnation)
		return 0;

	/* A writer that had gone before we came is one we wait for, unless we want its history. */
	if (load(&r->shared->writer.state.send_closed) && !r->from_oldest)
		r->ended_before = r->incarnation;
	reader_go_to(r, load_acquire(r->from_oldest ? &r->shared->oldest : &r->shared->head));
	return channel_geometry_compare(&hello, &r->shared->writer.hello, &r->complaint);
}

/* 1: the same writer as before, or a first one; 0: none yet. */
static int reader_check_writer(struct crossvm_broadcast_reader *r)
{
	/* Acquires the release at the end of the writer's attach. */
	uint64_t incarnation = load_acquire(&r->shared->writer.state.incarnation);
	uint64_t known = r->incarnation;
	struct crossvm_abi_hello hello;
	int rc;

	if (r->complaint.kind != CROSSVM_FINE)
		return -CROSSVM_EPROTO;
	if (incarnation == known)
		return known ? 1 : 0;
	channel_geometry_broadcast(&hello, r->port.bytes);
	rc = channel_geometry_compare(&hello, &r->shared->writer.hello, &r->complaint);
	if (rc)
		return rc;
	r->incarnation = incarnation;
	/* Who had left before we came has not restarted, but come. */
	if (known && known != r->ended_before)
		return -CROSSVM_ECONNRESET;
	/* It came after us: everything it publishes is for us. */
	reader_go_to(r, load(r->from_oldest ? &r->shared->oldest
					    : &r->shared->writer.state.start_position));
	return 1;
}

/* Was the record at our position intact until now? */
static bool reader_intact(const struct crossvm_broadcast_reader *r)
{
	/* What we loaded before comes before the load of oldest: pairs with writer_claim. */
	fence_acquire();
	return r->position - load(&r->shared->oldest) < CROSSVM_POSITION_LIMIT;
}

/*
 * How many committed bytes are there from our position on, after stepping over what is gone?
 * 1: some, in *available; 0: none; or an error.
 */
static int reader_look(struct crossvm_broadcast_reader *r, uint64_t *available)
{
	/* This order, so that the head is at or after the oldest. */
	uint64_t oldest = load_acquire(&r->shared->oldest);
	/* Acquires the writer's release of its head: the records before it are written. */
	uint64_t head = load_acquire(&r->shared->head);

	if (r->position - oldest >= CROSSVM_POSITION_LIMIT)
		reader_go_to(r, oldest);
	*available = head - r->position;
	if (*available >= CROSSVM_POSITION_LIMIT || head % CROSSVM_RECORD_ALIGN ||
	    r->position % CROSSVM_RECORD_ALIGN)
		return complain(&r->complaint, CROSSVM_BAD_HEAD, r->position, head);
	return *available ? 1 : 0;
}

/* The writer has closed: but first everything it published before. */
static int reader_end(struct crossvm_broadcast_reader *r, uint64_t *available)
{
	int rc;

	/* Acquires the release in crossvm_broadcast_writer_detach. */
	if (!load_acquire(&r->shared->writer.state.send_closed) ||
	    r->incarnation == r->ended_before)
		return 0;
	rc = reader_look(r, available);
	return rc ? rc : -CROSSVM_ENODATA;
}

static void reader_step(struct crossvm_broadcast_reader *r, uint64_t span)
{
	r->position += span;
	r->offset += span;
	if (r->offset == r->ring_bytes)
		r->offset = 0;
}

/*
 * Parse the record at our position. 1: a message; 0: a pad, stepped over; -CROSSVM_EAGAIN: the
 * writer has overtaken us; or -CROSSVM_EPROTO.
 */
static int reader_parse(struct crossvm_broadcast_reader *r, uint64_t available,
			struct crossvm_message *message)
{
	const uint64_t *word = ring_word_const(r->ring, r->offset);
	uint64_t contiguous = r->ring_bytes - r->offset;
	uint64_t header = load(word);
	uint64_t size = record_size(header);
	bool pad = record_kind(header) == CROSSVM_RECORD_PAD;
	uint64_t span = record_span(
		pad ? CROSSVM_RECORD_HEADER_BYTES : CROSSVM_BROADCAST_HEADER_BYTES, size);
	uint64_t sequence = 0;

	if (!pad && contiguous >= CROSSVM_BROADCAST_HEADER_BYTES)
		sequence = load(word + 1);
	if (!reader_intact(r))
		return -CROSSVM_EAGAIN;
	if (!pad && record_kind(header) != CROSSVM_RECORD_MESSAGE)
		return complain(&r->complaint, CROSSVM_BAD_RECORD_KIND, CROSSVM_RECORD_MESSAGE,
				record_kind(header));
	if (span > available || span > contiguous || (pad && (span != contiguous || !r->offset)))
		return complain(&r->complaint, CROSSVM_BAD_RECORD_SIZE, available, size);
	if (pad) {
		reader_step(r, span);
		return 0;
	}
	if (r->started && sequence - r->sequence >= CROSSVM_POSITION_LIMIT)
		return complain(&r->complaint, CROSSVM_BAD_SEQUENCE, r->sequence, sequence);

	message->data = word + 2;
	message->size = size;
	message->id = sequence;
	r->peeked_span = span;
	r->peeked_sequence = sequence;
	return 1;
}

/* Find a message: 1, or 0 when there is none, or an error. */
static int reader_find(struct crossvm_broadcast_reader *r, struct crossvm_message *message)
{
	unsigned int overtaken = 0;

	for (;;) {
		uint64_t available;
		int rc = reader_check_writer(r);

		if (rc <= 0)
			return rc;
		rc = reader_look(r, &available);
		if (!rc)
			rc = reader_end(r, &available);
		if (rc <= 0)
			return rc;
		rc = reader_parse(r, available, message);
		if (rc != 0 && rc != -CROSSVM_EAGAIN)
			return rc;
		/* Pads alternate with messages, so this counts whatever brings us round again. */
		if (++overtaken > OVERTAKEN_MAX) {
			reader_go_to(r, load_acquire(&r->shared->head));
			return 0;
		}
	}
}

static int reader_wait(struct crossvm_broadcast_reader *r, uint64_t deadline, bool *spun)
{
	const struct crossvm_abi_state *writer = &r->shared->writer.state;
	const struct wait_for what = {
		.word = &r->shared->head,
		.until = r->position + 1,
		.peer = writer,
		.incarnation = r->incarnation,
		.closed = r->incarnation == r->ended_before ? NULL : &writer->send_closed,
	};

	/* Spin once only, so that a writer that shows and hides a message cannot hold us. */
	if (!*spun) {
		*spun = true;
		if (channel_spin_until(&r->spin, &what))
			return 0;
	}
	/*
	 * The writer cannot know that we sleep, and needs not: it rings after it has published, and
	 * the port's wait returns for every ring since the last one. No fence is needed.
	 */
	return r->port.wait(r->port.ctx, deadline);
}

int crossvm_broadcast_peek(struct crossvm_broadcast_reader *r, struct crossvm_message *message,
			   uint64_t *lost, uint64_t deadline)
{
	bool spun = false;
	int bad = 0;

	/* What was peeked before is not accepted any more: our position may change. */
	r->peeked_span = 0;
	for (;;) {
		int rc = reader_find(r, message);

		if (rc > 0) {
			*lost = r->started ? message->id - r->sequence : 0;
			return 0;
		}
		if (rc < 0)
			return rc;
		if (bad)
			return bad;
		if (deadline == CROSSVM_NOW)
			return -CROSSVM_EAGAIN;
		/* When the wait ends badly, one last look: what came together with it counts. */
		bad = reader_wait(r, deadline, &spun);
	}
}

int crossvm_broadcast_accept(struct crossvm_broadcast_reader *r)
{
	uint64_t span = r->peeked_span;

	r->peeked_span = 0;
	if (!span)
		return -CROSSVM_EINVAL;
	if (!reader_intact(r))
		return -CROSSVM_EAGAIN;
	reader_step(r, span);
	r->sequence = r->peeked_sequence + 1;
	r->started = true;
	return 0;
}

/* Word by word, because the writer may be storing there. */
static void reader_copy(void *buffer, const struct crossvm_message *message)
{
	const uint64_t *from = message->data;
	uint8_t *to = buffer;
	uint64_t left = message->size;
	uint64_t word;

	for (; left >= sizeof(word); left -= sizeof(word)) {
		word = load(from++);
		memcpy(to, &word, sizeof(word));
		to += sizeof(word);
	}
	if (left) {
		word = load(from);
		memcpy(to, &word, left);
	}
}

int crossvm_broadcast_receive(struct crossvm_broadcast_reader *r, void *buffer, size_t capacity,
			      size_t *size, uint64_t *lost, uint64_t deadline)
{
	for (unsigned int i = 0; i <= OVERTAKEN_MAX; i++) {
		struct crossvm_message message;
		int rc = crossvm_broadcast_peek(r, &message, lost, deadline);

		if (rc)
			return rc;
		*size = message.size;
		if (message.size > capacity)
			return -CROSSVM_EMSGSIZE;
		reader_copy(buffer, &message);
		if (!crossvm_broadcast_accept(r))
			return 0;
	}
	return -CROSSVM_EAGAIN;
}

bool crossvm_broadcast_idle(const struct crossvm_broadcast_reader *r)
{
	const struct crossvm_abi_state *writer = &r->shared->writer.state;

	return load_acquire(&r->shared->head) == r->position &&
	       load(&writer->incarnation) == r->incarnation &&
	       (r->incarnation == r->ended_before || !load(&writer->send_closed));
}

int crossvm_broadcast_inspect(const void *memory, uint64_t bytes,
			      struct crossvm_broadcast_info *info)
{
	const struct crossvm_abi_broadcast *shared = memory;
	struct crossvm_abi_count count;
	unsigned int entry;

	if (bytes < sizeof(*shared))
		return -CROSSVM_EINVAL;
	memset(info, 0, sizeof(*info));
	/* Acquires its release in channel_geometry_publish. */
	if (load_acquire(&shared->writer.hello.magic) != CROSSVM_BROADCAST_MAGIC)
		return -CROSSVM_ENODATA;
	info->version = load(&shared->writer.hello.version);
	info->ring_bytes = load(&shared->writer.hello.ring_bytes[0]);
	info->incarnation = load(&shared->writer.state.incarnation);
	info->closed = load(&shared->writer.state.send_closed);
	info->doorbells = load(&shared->stats.sender.doorbells);
	/* Acquires the head's release, which the journal's entry precedes. */
	if (journal_find(&shared->sent, load_acquire(&shared->head), &entry, &count)) {
		info->messages = count.messages;
		info->bytes = count.bytes;
	}
	return 0;
}
