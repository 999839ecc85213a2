/* SPDX-License-Identifier: BSD-2-Clause */
/* The sending half of a queue. */
#include "lib/channel/journal.h"
#include "lib/channel/queue.h"
#include "lib/channel/record.h"

/* Bytes before which a batch has its place fetched: the receiver's processor has it. */
#define AHEAD 1024u

static uint64_t sender_contiguous(const struct crossvm_queue_sender *s)
{
	return s->ring_bytes - s->next_offset;
}

static uint64_t sender_free(const struct crossvm_queue_sender *s)
{
	return s->ring_bytes - (s->next - s->tail);
}

static void sender_set_room(struct crossvm_queue_sender *s)
{
	uint64_t contiguous = sender_contiguous(s);
	uint64_t free = sender_free(s);

	s->room = contiguous < free ? contiguous : free;
}

/* Has the receiver closed, since we came? */
static bool sender_receiver_left(const struct crossvm_queue *queue, uint64_t incarnation)
{
	return load(&queue_peer(queue)->state.receive_closed) &&
	       incarnation != queue->sender.left_before;
}

/*
 * W2 and W3 of wait.h, for the receiver asleep at the other end. If the peer is not who it was, no
 * room sends the next reserve to where everything is checked.
 */
static void sender_wake_receiver(struct crossvm_queue *queue)
{
	struct crossvm_queue_sender *s = &queue->sender;
	const struct crossvm_abi_state *peer = &queue_peer(queue)->state;
	uint64_t incarnation;

	if (!queue->polling) {
		fence(queue->fence_by_lock); /* W2; its partner is S2 in channel_wait_arm */
		if (unlikely(wait_passes(load(&peer->wake_receiver), s->rung, s->head)))
			channel_queue_doorbell(
				queue, &queue->shared->stats[queue->member].sender.doorbells);
		s->rung = s->head;
	}
	incarnation = load(&peer->incarnation);
	if (unlikely(incarnation != s->peer_incarnation ||
		     sender_receiver_left(queue, incarnation)))
		s->room = 0;
}

static void sender_publish(struct crossvm_queue *queue)
{
	struct crossvm_queue_sender *s = &queue->sender;

	journal_prepare(&queue->shared->counts[queue->member].sent, s->entry, s->next, s->messages,
			s->bytes);
	s->entry ^= 1;
	/* Acquired by the receiver in receiver_refresh: it sees records before the head. */
	store_release(&queue_out(queue)->head.position, s->next); /* W1 */
	s->head = s->next;
	s->head_offset = s->next_offset;
	s->committed_messages = s->messages;
	s->committed_bytes = s->bytes;
}

void crossvm_queue_commit(struct crossvm_queue *queue)
{
	if (queue->sender.next == queue->sender.head)
		return;
	sender_publish(queue);
	sender_wake_receiver(queue);
}

void crossvm_queue_cancel(struct crossvm_queue *queue)
{
	struct crossvm_queue_sender *s = &queue->sender;

	s->next = s->head;
	s->next_offset = s->head_offset;
	s->messages = s->committed_messages;
	s->bytes = s->committed_bytes;
	s->room = 0;
}

/* Is the peer there, the same as before, and listening? */
static int sender_check_peer(struct crossvm_queue *queue)
{
	struct crossvm_queue_sender *s = &queue->sender;
	uint64_t incarnation;
	uint64_t known;

	if (s->closed)
		return -CROSSVM_ESHUTDOWN;
	if (s->complaint.kind != CROSSVM_FINE)
		return -CROSSVM_EPROTO;

	/* Acquires the release at the end of the peer's attach. */
	incarnation = load_acquire(&queue_peer(queue)->state.incarnation);
	if (incarnation != s->peer_incarnation) {
		int rc = channel_queue_compare_peer(queue, &s->complaint);

		if (rc)
			return rc;
		known = s->peer_incarnation;
		s->peer_incarnation = incarnation;
		/* Who had left before we came has not restarted, but come. */
		if (known && known != s->left_before)
			return -CROSSVM_ECONNRESET;
	}
	return sender_receiver_left(queue, incarnation) ? -CROSSVM_ESHUTDOWN : 0;
}

static int sender_refresh(struct crossvm_queue *queue)
{
	struct crossvm_queue_sender *s = &queue->sender;
	/* Acquires the receiver's release of its tail: it has read what we overwrite. */
	uint64_t tail = load_acquire(&queue_out(queue)->tail.position);

	if (tail - s->tail > s->head - s->tail || tail % CROSSVM_RECORD_ALIGN)
		return complain(&s->complaint, CROSSVM_BAD_TAIL, s->head, tail);
	s->tail = tail;
	return 0;
}

/*
 * What must be free for a record, and whether a pad comes before it. A record that does not fit
 * before the ring's end is laid together with its pad. Only when both are larger than the ring,
 * the pad goes first and alone.
 */
static uint64_t sender_need(const struct crossvm_queue_sender *s, uint64_t span, bool *pad)
{
	uint64_t contiguous = sender_contiguous(s);

	*pad = span > contiguous;
	if (!*pad)
		return span;
	return contiguous + span <= s->ring_bytes ? contiguous + span : contiguous;
}

static void sender_lay_pad(struct crossvm_queue_sender *s)
{
	uint64_t contiguous = sender_contiguous(s);

	store(ring_word(s->ring, s->next_offset),
	      record_header(CROSSVM_RECORD_PAD, contiguous - CROSSVM_RECORD_HEADER_BYTES));
	s->next += contiguous;
	s->next_offset = 0;
}

static struct wait_for sender_wait_for(const struct crossvm_queue *queue, uint64_t need)
{
	const struct crossvm_queue_sender *s = &queue->sender;
	const struct crossvm_abi_state *peer = &queue_peer(queue)->state;

	return (struct wait_for){
		.word = &queue_out(queue)->tail.position,
		.until = s->next + need - s->ring_bytes,
		.peer = peer,
		.incarnation = s->peer_incarnation,
		.closed = s->peer_incarnation == s->left_before ? NULL : &peer->receive_closed,
	};
}

static struct wait_self sender_wait_self(struct crossvm_queue *queue)
{
	return (struct wait_self){
		.port = &queue->port,
		.wake = &queue_own(queue)->state.wake_sender,
		.stats = &queue->shared->stats[queue->member].sender,
		.spin = &queue->sender.spin,
		.polling = queue->polling,
		.fence_by_lock = queue->fence_by_lock,
	};
}

static int sender_wait(struct crossvm_queue *queue, uint64_t need, uint64_t deadline,
		       unsigned int *early_rounds)
{
	struct wait_for what = sender_wait_for(queue, need);
	struct wait_self self = sender_wait_self(queue);
	bool early;
	int rc = queue_check_own(queue);

	if (rc)
		return rc;
	if (!*early_rounds)
		channel_wait_count(&self.stats->stalls);
	rc = channel_wait_once(&self, &what, deadline, &early);
	if (early && ++*early_rounds > EARLY_ROUNDS_MAX)
		return complain(&queue->sender.complaint, CROSSVM_UNSTEADY, EARLY_ROUNDS_MAX,
				*early_rounds);
	return rc;
}

/* Look for room: 1 if there is, 0 with the need if there is not, or an error. */
static int sender_look(struct crossvm_queue *queue, uint64_t span, uint64_t *need)
{
	struct crossvm_queue_sender *s = &queue->sender;
	bool pad;
	int rc;

	s->room = 0;
	rc = sender_check_peer(queue);
	if (!rc)
		rc = sender_refresh(queue);
	if (rc)
		return rc;
	if (s->next_offset == s->ring_bytes)
		s->next_offset = 0;
	*need = sender_need(s, span, &pad);
	if (*need < span && s->next != s->head)
		return 0; /* a pad alone is committed at once, and must not commit anything else */
	if (*need > sender_free(s))
		return 0;
	if (pad)
		sender_lay_pad(s);
	if (*need < span) {
		crossvm_queue_commit(queue);
		*need = span;
		if (span > sender_free(s))
			return 0;
	}
	sender_set_room(s);
	return 1;
}

static int sender_make_room(struct crossvm_queue *queue, uint64_t span, uint64_t deadline)
{
	unsigned int early_rounds = 0;

	for (;;) {
		uint64_t need;
		int rc = sender_look(queue, span, &need);

		if (rc)
			return rc > 0 ? 0 : rc;
		if (deadline == CROSSVM_NOW || queue->sender.next != queue->sender.head)
			return -CROSSVM_EAGAIN;
		rc = sender_wait(queue, need, deadline, &early_rounds);
		if (rc) {
			/* A last look: what came together with the bad news still counts. */
			if (sender_look(queue, span, &need) == 1)
				return 0;
			return rc;
		}
	}
}

static inline int sender_reserve(struct crossvm_queue *queue, size_t size, uint8_t **payload,
				 uint64_t deadline)
{
	struct crossvm_queue_sender *s = &queue->sender;
	uint64_t span;

	if (unlikely(size > s->ring_bytes - CROSSVM_RECORD_HEADER_BYTES))
		return -CROSSVM_EMSGSIZE;
	span = record_span(CROSSVM_RECORD_HEADER_BYTES, size);
	if (unlikely(span > s->room)) {
		int rc = sender_make_room(queue, span, deadline);

		if (rc)
			return rc;
	}
	store(ring_word(s->ring, s->next_offset), record_header(CROSSVM_RECORD_MESSAGE, size));
	*payload = s->ring + s->next_offset + CROSSVM_RECORD_HEADER_BYTES;
	s->last_offset = s->next_offset;
	s->last_size = size;
	s->next += span;
	s->next_offset += span;
	s->room -= span;
	s->messages++;
	s->bytes += size;
	return 0;
}

int crossvm_queue_reserve(struct crossvm_queue *queue, size_t size, void **data, uint64_t deadline)
{
	uint8_t *payload;
	int rc = sender_reserve(queue, size, &payload, deadline);

	if (!rc)
		*data = payload;
	return rc;
}

int crossvm_queue_trim(struct crossvm_queue *queue, size_t size)
{
	struct crossvm_queue_sender *s = &queue->sender;
	uint64_t less;

	if (s->next == s->head || size > s->last_size)
		return -CROSSVM_EINVAL;
	less = record_span(CROSSVM_RECORD_HEADER_BYTES, s->last_size) -
	       record_span(CROSSVM_RECORD_HEADER_BYTES, size);
	store(ring_word(s->ring, s->last_offset), record_header(CROSSVM_RECORD_MESSAGE, size));
	s->next -= less;
	/* Not less than it was: a reserve that failed may have gone on to the ring's beginning. */
	s->next_offset = s->last_offset + record_span(CROSSVM_RECORD_HEADER_BYTES, size);
	s->room += less;
	s->bytes -= s->last_size - size;
	s->last_size = size;
	return 0;
}

int crossvm_queue_send(struct crossvm_queue *queue, const void *data, size_t size,
		       uint64_t deadline)
{
	uint8_t *payload;
	int rc;

	if (unlikely(queue->sender.next != queue->sender.head))
		return -CROSSVM_EINVAL;
	rc = sender_reserve(queue, size, &payload, deadline);
	if (rc)
		return rc;
	copy(payload, data, size);
	crossvm_queue_commit(queue);
	return 0;
}

int crossvm_queue_sendv(struct crossvm_queue *queue, const struct crossvm_slice *slices,
			size_t count, uint64_t deadline)
{
	uint8_t *payload;
	size_t size = 0;
	int rc;

	if (queue->sender.next != queue->sender.head)
		return -CROSSVM_EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (slices[i].size > SIZE_MAX - size)
			return -CROSSVM_EMSGSIZE;
		size += slices[i].size;
	}
	rc = sender_reserve(queue, size, &payload, deadline);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		copy(payload, slices[i].data, slices[i].size);
		payload += slices[i].size;
	}
	crossvm_queue_commit(queue);
	return 0;
}

/* Lay as many messages as there is room for without looking at the peer. Returns their number. */
static size_t sender_lay(struct crossvm_queue_sender *s, const struct crossvm_slice *messages,
			 size_t count)
{
	uint8_t *record = s->ring + s->next_offset;
	uint64_t room = s->room, bytes = 0;
	size_t n = 0;

	for (; n < count; n++) {
		uint64_t size = messages[n].size;
		uint64_t span = record_span(CROSSVM_RECORD_HEADER_BYTES, size);

		if (unlikely(size > room || span > room))
			break;
		if (room > AHEAD)
			expect_store(record + AHEAD);
		store(ring_word(record, 0), record_header(CROSSVM_RECORD_MESSAGE, size));
		copy(record + CROSSVM_RECORD_HEADER_BYTES, messages[n].data, size);
		record += span;
		room -= span;
		bytes += size;
	}
	s->next += s->room - room;
	s->next_offset += s->room - room;
	s->room = room;
	s->messages += n;
	s->bytes += bytes;
	return n;
}

int crossvm_queue_send_batch(struct crossvm_queue *queue, const struct crossvm_slice *messages,
			     size_t count, uint64_t deadline, size_t *sent)
{
	struct crossvm_queue_sender *s = &queue->sender;
	uint64_t before = s->committed_messages;
	int rc = 0;

	*sent = 0;
	if (s->next != s->head)
		return -CROSSVM_EINVAL;
	for (size_t i = 0; i < count && !rc; i++) {
		uint8_t *payload;

		i += sender_lay(s, messages + i, count - i);
		if (i == count)
			break;
		rc = sender_reserve(queue, messages[i].size, &payload, deadline);
		if (rc == -CROSSVM_EAGAIN && s->next != s->head) {
			crossvm_queue_commit(queue);
			rc = sender_reserve(queue, messages[i].size, &payload, deadline);
		}
		if (!rc)
			copy(payload, messages[i].data, messages[i].size);
	}
	crossvm_queue_commit(queue);
	*sent = (size_t)(s->committed_messages - before);
	return rc;
}

bool crossvm_queue_arm_send(struct crossvm_queue *queue, size_t size)
{
	struct wait_self self = sender_wait_self(queue);
	struct wait_for what;
	uint64_t need;

	if (queue->polling || size > crossvm_queue_max_message(queue) ||
	    queue->sender.next != queue->sender.head)
		return false;
	if (sender_look(queue, record_span(CROSSVM_RECORD_HEADER_BYTES, size), &need)) {
		/* The look may have laid a pad for a message that may never come. */
		crossvm_queue_cancel(queue);
		return false;
	}
	what = sender_wait_for(queue, need);
	return !channel_spin_until(self.spin, &what) && channel_wait_promise(&self, &what);
}

void crossvm_queue_close_send(struct crossvm_queue *queue)
{
	struct crossvm_queue_sender *s = &queue->sender;

	if (s->closed)
		return;
	crossvm_queue_cancel(queue);
	s->closed = true;
	/* Acquired by the receiver in receiver_check_peer: it then sees the last head. */
	store_release(&queue_own(queue)->state.send_closed, 1);
	channel_queue_doorbell(queue, &queue->shared->stats[queue->member].sender.doorbells);
}
