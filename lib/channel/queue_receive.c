/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiving half of a queue. */
#include "lib/channel/journal.h"
#include "lib/channel/queue.h"
#include "lib/channel/record.h"

/* W2 and W3 of wait.h, for the sender asleep at the other end. */
static void receiver_wake_sender(struct crossvm_queue *queue)
{
	struct crossvm_queue_receiver *r = &queue->receiver;
	uint64_t wake;

	if (queue->polling)
		return;
	fence(queue->fence_by_lock); /* W2; its partner is S2 in channel_wait_arm */
	wake = load(&queue_peer(queue)->state.wake_sender);
	if (unlikely(wait_passes(wake, r->rung, r->tail)))
		channel_queue_doorbell(queue,
				       &queue->shared->stats[queue->member].receiver.doorbells);
	r->rung = r->tail;
}

void crossvm_queue_release(struct crossvm_queue *queue)
{
	struct crossvm_queue_receiver *r = &queue->receiver;

	if (r->read == r->tail)
		return;
	journal_prepare(&queue->shared->counts[queue->member].received, r->entry, r->read,
			r->messages, r->bytes);
	r->entry ^= 1;
	/* Acquired by the sender in sender_refresh: it overwrites only what we have read. */
	store_release(&queue_in(queue)->tail.position, r->read); /* W1 */
	r->tail = r->read;
	receiver_wake_sender(queue);
}

/*
 * Look at the peer's head. Messages of an earlier incarnation are given out up to where the new
 * one began, then the restart is told, then the rest.
 *
 * @return 1 when there is something to read, 0 when not, or an error.
 */
static int receiver_refresh(struct crossvm_queue *queue)
{
	struct crossvm_queue_receiver *r = &queue->receiver;
	const struct crossvm_abi_state *peer = &queue_peer(queue)->state;
	/* Acquires the sender's release of its head: the records before it are written. */
	uint64_t head = load_acquire(&queue_in(queue)->head.position);
	uint64_t incarnation = load_acquire(&peer->incarnation);
	uint64_t held = r->read - r->tail;

	if (head - r->read > r->ring_bytes - held || head % CROSSVM_RECORD_ALIGN)
		return complain(&r->complaint, CROSSVM_BAD_HEAD, r->read, head);
	if (incarnation != r->peer_incarnation) {
		uint64_t start = load(&peer->start_position);
		int rc = channel_queue_compare_peer(queue, &r->complaint);

		if (rc)
			return rc;
		if (r->peer_incarnation &&
		    (start - r->read > r->ring_bytes - held || start % CROSSVM_RECORD_ALIGN))
			return complain(&r->complaint, CROSSVM_BAD_START, r->read, start);
		if (!r->peer_incarnation || start == r->read) {
			/* Who had left before we came has not restarted, but come. */
			bool restarted =
				r->peer_incarnation && r->peer_incarnation != r->ended_before;

			r->peer_incarnation = incarnation;
			if (restarted)
				return -CROSSVM_ECONNRESET;
		} else if (start - r->read < head - r->read) {
			head = start;
		}
	}
	r->available = head - r->read;
	return r->available ? 1 : 0;
}

/* The sender has closed: but first everything it committed before. */
static int receiver_end(struct crossvm_queue *queue)
{
	struct crossvm_queue_receiver *r = &queue->receiver;
	/* Acquires the release in crossvm_queue_close_send: the head read next is the last. */
	uint64_t closed = load_acquire(&queue_peer(queue)->state.send_closed);
	int rc;

	if (!closed || r->peer_incarnation == r->ended_before)
		return 0;
	rc = receiver_refresh(queue);
	return rc ? rc : -CROSSVM_ENODATA;
}

/* 1 when there is something to read, 0 when not, or an error. */
static int receiver_look(struct crossvm_queue *queue)
{
	struct crossvm_queue_receiver *r = &queue->receiver;
	int rc;

	if (r->closed)
		return -CROSSVM_ESHUTDOWN;
	if (r->complaint.kind != CROSSVM_FINE)
		return -CROSSVM_EPROTO;
	rc = receiver_refresh(queue);
	return rc ? rc : receiver_end(queue);
}

static struct wait_for receiver_wait_for(const struct crossvm_queue *queue)
{
	const struct crossvm_queue_receiver *r = &queue->receiver;
	const struct crossvm_abi_state *peer = &queue_peer(queue)->state;

	return (struct wait_for){
		.word = &queue_in(queue)->head.position,
		.until = r->read + 1,
		.peer = peer,
		.incarnation = r->peer_incarnation,
		.closed = r->peer_incarnation == r->ended_before ? NULL : &peer->send_closed,
	};
}

static struct wait_self receiver_wait_self(struct crossvm_queue *queue)
{
	return (struct wait_self){
		.port = &queue->port,
		.wake = &queue_own(queue)->state.wake_receiver,
		.stats = &queue->shared->stats[queue->member].receiver,
		.spin = &queue->receiver.spin,
		.polling = queue->polling,
		.fence_by_lock = queue->fence_by_lock,
	};
}

static int receiver_wait(struct crossvm_queue *queue, uint64_t deadline, unsigned int *early_rounds)
{
	struct wait_for what = receiver_wait_for(queue);
	struct wait_self self = receiver_wait_self(queue);
	bool early;
	int rc = queue_check_own(queue);

	if (rc)
		return rc;
	if (!*early_rounds)
		channel_wait_count(&self.stats->stalls);
	rc = channel_wait_once(&self, &what, deadline, &early);
	if (early && ++*early_rounds > EARLY_ROUNDS_MAX)
		return complain(&queue->receiver.complaint, CROSSVM_UNSTEADY, EARLY_ROUNDS_MAX,
				*early_rounds);
	return rc;
}

/* Have something available to read, or return why not. */
static int receiver_await(struct crossvm_queue *queue, uint64_t deadline)
{
	unsigned int early_rounds = 0;

	for (;;) {
		int rc = receiver_look(queue);

		if (rc)
			return rc > 0 ? 0 : rc;
		if (deadline == CROSSVM_NOW)
			return -CROSSVM_EAGAIN;
		rc = receiver_wait(queue, deadline, &early_rounds);
		if (rc) {
			/* A last look: what came together with the bad news still counts. */
			if (receiver_look(queue) == 1)
				return 0;
			return rc;
		}
	}
}

static void receiver_advance(struct crossvm_queue_receiver *r, uint64_t span)
{
	r->available -= span;
	r->read += span;
	r->read_offset += span;
	if (r->read_offset == r->ring_bytes)
		r->read_offset = 0;
}

/* Up to where records can be read in one piece; not 0 when anything is available. */
static uint64_t receiver_contiguous(const struct crossvm_queue_receiver *r)
{
	uint64_t contiguous = r->ring_bytes - r->read_offset;

	return contiguous < r->available ? contiguous : r->available;
}

/*
 * Parse messages, as many as there are in a row and wanted.
 *
 * @odd    set to the header that ended the row, unless it ended by itself.
 * @return their number; when it is 0, odd is set.
 */
static inline size_t receiver_parse(struct crossvm_queue_receiver *r,
				    struct crossvm_message *messages, size_t count, uint64_t *odd)
{
	const uint64_t whole = receiver_contiguous(r);
	const uint8_t *record = r->ring + r->read_offset;
	uint64_t left = whole, bytes = 0;
	size_t n = 0;

	while (n < count && left) {
		uint64_t header = load(ring_word_const(record, 0));
		uint64_t size = record_size(header);
		uint64_t span = record_span(CROSSVM_RECORD_HEADER_BYTES, size);

		if (unlikely(span > left || record_kind(header) != CROSSVM_RECORD_MESSAGE)) {
			*odd = header;
			break;
		}
		messages[n].data = record + CROSSVM_RECORD_HEADER_BYTES;
		messages[n].size = size;
		messages[n].id = r->messages + n;
		record += span;
		left -= span;
		bytes += size;
		n++;
	}
	receiver_advance(r, whole - left);
	r->messages += n;
	r->bytes += bytes;
	return n;
}

/* Pass a header that is no message, or one that goes too far: 0 for a pad, or an error. */
static int receiver_pass(struct crossvm_queue_receiver *r, uint64_t header)
{
	uint64_t size = record_size(header);
	uint64_t span = record_span(CROSSVM_RECORD_HEADER_BYTES, size);
	uint64_t contiguous = r->ring_bytes - r->read_offset;

	if (span > receiver_contiguous(r))
		return complain(&r->complaint, CROSSVM_BAD_RECORD_SIZE, r->available, size);
	if (record_kind(header) != CROSSVM_RECORD_PAD)
		return complain(&r->complaint, CROSSVM_BAD_RECORD_KIND, CROSSVM_RECORD_MESSAGE,
				record_kind(header));
	/* A pad ends the ring and does not begin it: no two in a row. */
	if (span != contiguous || !r->read_offset)
		return complain(&r->complaint, CROSSVM_BAD_RECORD_SIZE, contiguous, size);
	receiver_advance(r, span);
	return 0;
}

/* At least one message and at most count. peeked: how many, set on success. */
static inline int receiver_peek(struct crossvm_queue *queue, struct crossvm_message *messages,
				size_t count, uint64_t deadline, size_t *peeked)
{
	struct crossvm_queue_receiver *r = &queue->receiver;

	for (;;) {
		uint64_t before = r->read;
		uint64_t odd = 0;
		int rc;

		if (unlikely(!r->available)) {
			rc = receiver_await(queue, deadline);
			if (rc)
				return rc;
		}
		*peeked = receiver_parse(r, messages, count, &odd);
		if (*peeked)
			return 0;
		rc = receiver_pass(r, odd);
		if (rc) {
			r->available = 0;
			return rc;
		}
		/* Give a pad back at once: the sender may wait for just that. */
		if (before == r->tail)
			crossvm_queue_release(queue);
	}
}

int crossvm_queue_peek(struct crossvm_queue *queue, struct crossvm_message *message,
		       uint64_t deadline)
{
	size_t peeked;

	return receiver_peek(queue, message, 1, deadline, &peeked);
}

int crossvm_queue_peek_batch(struct crossvm_queue *queue, struct crossvm_message *messages,
			     size_t count, uint64_t deadline, size_t *peeked)
{
	size_t n = 0;
	int rc = 0;

	while (n < count && !rc) {
		size_t more = 0;

		rc = receiver_peek(queue, messages + n, count - n, n ? CROSSVM_NOW : deadline,
				   &more);
		n += more;
	}
	*peeked = n;
	/* What ended the batch is told when nothing is left before it. */
	return n ? 0 : rc;
}

/* Put back the only message peeked. */
static void receiver_unpeek(struct crossvm_queue_receiver *r, uint64_t size)
{
	uint64_t span = record_span(CROSSVM_RECORD_HEADER_BYTES, size);

	if (!r->read_offset)
		r->read_offset = r->ring_bytes;
	r->read_offset -= span;
	r->read -= span;
	r->available += span;
	r->messages--;
	r->bytes -= size;
}

int crossvm_queue_receive(struct crossvm_queue *queue, void *buffer, size_t capacity, size_t *size,
			  uint64_t deadline)
{
	struct crossvm_message message = {0};
	size_t peeked;
	int rc;

	if (unlikely(queue->receiver.read != queue->receiver.tail))
		return -CROSSVM_EINVAL;
	rc = receiver_peek(queue, &message, 1, deadline, &peeked);
	if (rc)
		return rc;
	*size = message.size;
	if (message.size > capacity) {
		receiver_unpeek(&queue->receiver, message.size);
		return -CROSSVM_EMSGSIZE;
	}
	copy(buffer, message.data, message.size);
	crossvm_queue_release(queue);
	return 0;
}

bool crossvm_queue_arm_receive(struct crossvm_queue *queue)
{
	struct wait_for what;
	struct wait_self self = receiver_wait_self(queue);

	if (queue->polling || queue->receiver.available || receiver_look(queue))
		return false;
	what = receiver_wait_for(queue);
	return !channel_spin_until(self.spin, &what) && channel_wait_promise(&self, &what);
}

void crossvm_queue_close_receive(struct crossvm_queue *queue)
{
	struct crossvm_queue_receiver *r = &queue->receiver;

	if (r->closed)
		return;
	r->closed = true;
	r->available = 0;
	/* Nothing depends on it: the sender stops when it sees it. */
	store(&queue_own(queue)->state.receive_closed, 1);
	channel_queue_doorbell(queue, &queue->shared->stats[queue->member].receiver.doorbells);
}
