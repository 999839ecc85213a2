/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue, by induction: attach leaves a state for which queue_holds(), whatever the dataport
 * contains; and every function, called in any such state, whatever the dataport contains at each
 * look, touches only what it may, ends, and leaves such a state. So it is for any number of calls.
 *
 * A function that calls others several times is proven with those taken (see proof.h): what each
 * call needs is proven of it, and all that another proof shows of the function called is assumed.
 */
#include "tests/channel/proof/proof.h"

#include "lib/channel/geometry.h"
#include "lib/channel/record.h"
#include "lib/channel/wait.h"

#ifndef MEMBER
#define MEMBER 0u
#endif

/* 0: half of the dataport. */
#ifndef FIRST_RING_BYTES
#define FIRST_RING_BYTES 0
#endif

/* Bounds the loops of what takes several messages or slices. */
#define BATCH 2u

static struct crossvm_queue queue;
static bool formatting;

bool may_store(uint64_t offset, uint64_t bytes)
{
	uint64_t m = queue.member;
	uint64_t ring = __CPROVER_POINTER_OFFSET(queue.sender.ring);

	if (formatting)
		return within(offset, bytes, 0, sizeof(struct crossvm_abi_queue));
	return within(offset, bytes, offsetof(struct crossvm_abi_queue, member[m]),
		      sizeof(struct crossvm_abi_member)) ||
	       within(offset, bytes, offsetof(struct crossvm_abi_queue, ring[m].head), 8) ||
	       within(offset, bytes, offsetof(struct crossvm_abi_queue, ring[1 - m].tail), 8) ||
	       within(offset, bytes, offsetof(struct crossvm_abi_queue, counts[m]),
		      sizeof(struct crossvm_abi_counts)) ||
	       within(offset, bytes, offsetof(struct crossvm_abi_queue, stats[m]),
		      sizeof(struct crossvm_abi_stats)) ||
	       within(offset, bytes, ring, queue.sender.ring_bytes);
}

/* As a batch leaves it before it commits, which does not keep where its last message lies. */
static bool sender_safe(const struct crossvm_queue_sender *s)
{
	if (!ring_holds(s->ring, s->ring_bytes, sizeof(struct crossvm_abi_queue)))
		return false;
	if (!aligned(s->next) || !aligned(s->head) || !aligned(s->tail) || !aligned(s->room) ||
	    !aligned(s->next_offset) || !aligned(s->head_offset))
		return false;
	if (s->next_offset > s->ring_bytes || s->head_offset > s->ring_bytes)
		return false;
	if (s->next - s->tail > s->ring_bytes || s->head - s->tail > s->next - s->tail)
		return false;
	return s->room <= s->ring_bytes - s->next_offset &&
	       s->room <= s->ring_bytes - (s->next - s->tail);
}

static bool sender_holds(const struct crossvm_queue_sender *s)
{
	uint64_t last_end = s->last_offset + span_of(CROSSVM_RECORD_HEADER_BYTES, s->last_size);

	if (!sender_safe(s))
		return false;
	if (s->next == s->head)
		return true;
	/* A reserve that failed may have gone on to the ring's beginning. */
	return aligned(s->last_offset) && s->last_offset < s->ring_bytes &&
	       s->last_size < s->ring_bytes && last_end <= s->ring_bytes &&
	       last_end - s->last_offset <= s->next - s->head &&
	       (s->next_offset == last_end ||
		(!s->next_offset && !s->room && last_end == s->ring_bytes));
}

static bool receiver_holds(const struct crossvm_queue_receiver *r)
{
	if (!ring_holds(r->ring, r->ring_bytes, sizeof(struct crossvm_abi_queue)))
		return false;
	return aligned(r->read) && aligned(r->tail) && aligned(r->available) &&
	       aligned(r->read_offset) && r->read_offset < r->ring_bytes &&
	       r->read - r->tail <= r->ring_bytes &&
	       r->available <= r->ring_bytes - (r->read - r->tail);
}

static bool rings_apart(void)
{
	uint64_t out = __CPROVER_POINTER_OFFSET(queue.sender.ring);
	uint64_t in = __CPROVER_POINTER_OFFSET(queue.receiver.ring);

	return out < in ? queue.sender.ring_bytes <= in - out
			: queue.receiver.ring_bytes <= out - in;
}

static bool queue_safe(void)
{
	return queue.member <= 1 && queue.shared == (void *)dataport &&
	       sender_safe(&queue.sender) && receiver_holds(&queue.receiver) && rings_apart() &&
	       spin_holds(&queue.sender.spin) && spin_holds(&queue.receiver.spin) &&
	       queue.sender.entry <= 1 && queue.receiver.entry <= 1;
}

static bool queue_holds(void)
{
	return queue_safe() && sender_holds(&queue.sender);
}

/* Any state that leaves each ring where it is. */
static void any_state(void)
{
	struct crossvm_queue any;

	any.port = queue.port;
	any.shared = queue.shared;
	any.hello = queue.hello;
	any.member = queue.member;
	any.sender.ring = queue.sender.ring;
	any.sender.ring_bytes = queue.sender.ring_bytes;
	any.receiver.ring = queue.receiver.ring;
	any.receiver.ring_bytes = queue.receiver.ring_bytes;
	any.sender.tail = POSITION;
	any.sender.head = POSITION + any_small();
	any.sender.next = POSITION + any_small();
	any.sender.head_offset = any_small();
	any.sender.next_offset = any_small();
	any.sender.last_offset = any_small();
	any.sender.last_size = any_small();
	any.sender.room = any_small();
	any.receiver.tail = POSITION;
	any.receiver.read = POSITION + any_small();
	any.receiver.read_offset = any_small();
	any.receiver.available = any_small();
	queue = any;
	assume(queue_safe());
	assume(any.sender.spin.limit <= SPIN_LIMIT && any.receiver.spin.limit <= SPIN_LIMIT);
}

static void any_safe_queue(void)
{
	queue.port = port_new();
	queue.shared = (void *)dataport;
	queue.member = MEMBER;
	assume(channel_geometry_queue(&queue.hello, dataport_bytes, FIRST_RING_BYTES,
				      nondet_word()) == 0);
	queue.sender.ring = dataport + queue.hello.ring_offset[MEMBER];
	queue.sender.ring_bytes = queue.hello.ring_bytes[MEMBER];
	queue.receiver.ring = dataport + queue.hello.ring_offset[1 - MEMBER];
	queue.receiver.ring_bytes = queue.hello.ring_bytes[1 - MEMBER];
	any_state();
}

/* Any state that a queue may be in between two calls. */
static void any_queue(void)
{
	any_safe_queue();
	assume(queue_holds());
}

static void *any_buffer(size_t size)
{
	void *buffer;

	assume(size < UINT64_C(1) << 33);
	buffer = malloc(size);
	assume(buffer);
	return buffer;
}

/* Sizes may be any: of what is too large for an address, no byte may be touched. */
static const void *any_data(size_t size)
{
	return size < UINT64_C(1) << 33 ? any_buffer(size) : NULL;
}

static void any_slices(struct crossvm_slice *slices)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		slices[i].size = nondet_word();
		slices[i].data = any_data(slices[i].size);
	}
}

/* Does what was reserved lie in the ring that this side writes? */
static bool is_reserved(const uint8_t *payload, uint64_t size)
{
	return __CPROVER_same_object(payload, dataport) &&
	       within(__CPROVER_POINTER_OFFSET(payload), size,
		      __CPROVER_POINTER_OFFSET(queue.sender.ring), queue.sender.ring_bytes);
}

/* Does what was peeked lie in the ring that the peer writes? */
static bool is_message(const struct crossvm_message *message)
{
	uint64_t offset = __CPROVER_POINTER_OFFSET(message->data);

	return __CPROVER_same_object(message->data, dataport) &&
	       within(offset, message->size, __CPROVER_POINTER_OFFSET(queue.receiver.ring),
		      queue.receiver.ring_bytes) &&
	       aligned(offset);
}

static bool are_messages(const struct crossvm_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_message(&messages[i]))
			return false;
	return true;
}

static const uint8_t *any_place(const uint8_t *ring, uint64_t ring_bytes)
{
	uint64_t offset = any_small();

	assume(offset <= ring_bytes);
	return ring + offset;
}

static void any_messages(struct crossvm_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct crossvm_message any = {
			.data = any_place(queue.receiver.ring, queue.receiver.ring_bytes),
			.size = any_small()};

		assume(is_message(&any));
		messages[i] = any;
	}
}

/* Up to eight pieces of what is copied in pieces. */
void copy_any(void)
{
	size_t size = nondet_word();

	assume(size <= 8 * COPY_PIECE);
	copy(any_buffer(size), any_buffer(size), size);
}

void taken_copy(void *to, const void *from, uint64_t size)
{
	memcpy(to, from, size);
}

void attach(void)
{
	struct crossvm_port port = port_new();
	struct crossvm_queue_config config = {.member = MEMBER,
					      .flags = nondet_bool() ? CROSSVM_QUEUE_POLLING : 0,
					      .spin_limit = (uint32_t)(nondet_word() & UINT32_MAX)};

	config.first_ring_bytes = FIRST_RING_BYTES;
	queue.member = config.member;
	if (crossvm_queue_attach(&queue, &port, &config) == 0)
		prove(queue_holds());
}

/* The only loops that the callers' own values bound: polling before a sleep. */
void spin(void)
{
	struct crossvm_port port = port_new();
	struct crossvm_abi_queue *shared = port.memory;
	struct wait_for what = {
		.word = &shared->ring[0].head.position,
		.until = nondet_word(),
		.peer = &shared->member[0].state,
		.incarnation = nondet_word(),
		.closed = nondet_bool() ? NULL : &shared->member[0].state.send_closed,
	};
	struct crossvm_spin any;

	assume(spin_holds(&any) && any.limit <= 3);
	channel_spin_until(&any, &what);
	prove(spin_holds(&any));
}

void detach(void)
{
	any_queue();
	crossvm_queue_detach(&queue);
	prove(!queue.shared);
}

void format(void)
{
	struct crossvm_port port = port_new();

	formatting = true;
	prove(crossvm_queue_format(&port) == 0);
}

void inspect(void)
{
	struct crossvm_queue_info info;
	struct crossvm_port port = port_new();

	prove(crossvm_queue_inspect(port.memory, port.bytes, &info) <= 0);
}

size_t LIB(queue_send, sender_lay)(struct crossvm_queue_sender *s,
				   const struct crossvm_slice *messages, size_t count);

void lay(void)
{
	struct crossvm_slice slices[BATCH];

	any_safe_queue();
	any_slices(slices);
	prove(LIB(queue_send, sender_lay)(&queue.sender, slices, BATCH) <= BATCH);
	prove(queue_safe());
}

size_t taken_sender_lay(struct crossvm_queue_sender *s, const struct crossvm_slice *messages,
			size_t count)
{
	size_t laid = nondet_word();

	prove(s == &queue.sender && queue_safe());
	prove(__CPROVER_r_ok(messages, count * sizeof(*messages)));
	any_state();
	assume(laid <= count);
	return laid;
}

void reserve(void)
{
	size_t size = nondet_word();
	void *data;
	bool held;
	int rc;

	any_safe_queue();
	held = queue_holds();
	rc = crossvm_queue_reserve(&queue, size, &data, nondet_word());
	prove(rc <= 0);
	prove(rc || is_reserved(data, size));
	prove(rc && !held ? queue_safe() : queue_holds());
}

int taken_sender_reserve(struct crossvm_queue *q, size_t size, uint8_t **payload, uint64_t deadline)
{
	int rc = nondet_int();
	bool held = queue_holds();

	(void)deadline;
	prove(q == &queue && queue_safe());
	any_state();
	assume(rc <= 0 && (rc && !held ? queue_safe() : queue_holds()));
	*payload = (uint8_t *)any_place(queue.sender.ring, queue.sender.ring_bytes);
	assume(rc || is_reserved(*payload, size));
	return rc;
}

void trim(void)
{
	any_queue();
	crossvm_queue_trim(&queue, nondet_word());
	prove(queue_holds());
}

void cancel(void)
{
	any_queue();
	crossvm_queue_cancel(&queue);
	prove(queue_holds());
}

void commit(void)
{
	any_safe_queue();
	crossvm_queue_commit(&queue);
	prove(queue_holds());
}

void taken_crossvm_queue_commit(struct crossvm_queue *q)
{
	prove(q == &queue && queue_safe());
	any_state();
	assume(queue_holds());
}

void send(void)
{
	size_t size = nondet_word();

	any_queue();
	crossvm_queue_send(&queue, any_data(size), size, nondet_word());
	prove(queue_holds());
}

void sendv(void)
{
	struct crossvm_slice slices[BATCH];

	any_queue();
	any_slices(slices);
	crossvm_queue_sendv(&queue, slices, BATCH, nondet_word());
	prove(queue_holds());
}

void send_batch(void)
{
	struct crossvm_slice slices[BATCH];
	size_t sent;

	any_queue();
	any_slices(slices);
	crossvm_queue_send_batch(&queue, slices, BATCH, nondet_word(), &sent);
	prove(queue_holds());
}

void arm_send(void)
{
	any_queue();
	crossvm_queue_arm_send(&queue, nondet_word());
	prove(queue_holds());
}

void close_send(void)
{
	any_queue();
	crossvm_queue_close_send(&queue);
	prove(queue_holds());
}

void peek(void)
{
	struct crossvm_message message;

	any_queue();
	if (crossvm_queue_peek(&queue, &message, nondet_word()) == 0)
		prove(is_message(&message));
	prove(queue_holds());
}

static bool same_place(const struct crossvm_queue_receiver *a,
		       const struct crossvm_queue_receiver *b)
{
	return a->read == b->read && a->tail == b->tail && a->read_offset == b->read_offset &&
	       a->available == b->available;
}

size_t LIB(queue_receive, receiver_parse)(struct crossvm_queue_receiver *r,
					  struct crossvm_message *messages, size_t count,
					  uint64_t *odd);

void parse(void)
{
	struct crossvm_message messages[BATCH];
	struct crossvm_queue_receiver before;
	size_t n, count = nondet_word();
	uint64_t odd;

	any_queue();
	assume(count <= BATCH);
	before = queue.receiver;
	n = LIB(queue_receive, receiver_parse)(&queue.receiver, messages, count, &odd);
	prove(n <= count);
	prove(are_messages(messages, n));
	prove(n || same_place(&queue.receiver, &before));
	prove(queue_holds());
}

size_t taken_receiver_parse(struct crossvm_queue_receiver *r, struct crossvm_message *messages,
			    size_t count, uint64_t *odd)
{
	size_t n = nondet_word();

	prove(r == &queue.receiver && queue_holds() && count <= BATCH);
	assume(n <= count);
	*odd = nondet_word();
	if (!n)
		return 0;
	any_state();
	assume(queue_holds());
	any_messages(messages, n);
	return n;
}

int LIB(queue_receive, receiver_peek)(struct crossvm_queue *queue, struct crossvm_message *messages,
				      size_t count, uint64_t deadline, size_t *peeked);

void peek_row(void)
{
	struct crossvm_message messages[BATCH];
	size_t peeked = 0, count = nondet_word();
	int rc;

	any_queue();
	assume(count && count <= BATCH);
	rc = LIB(queue_receive, receiver_peek)(&queue, messages, count, nondet_word(), &peeked);
	prove(rc <= 0 && peeked <= count && !rc == !!peeked);
	prove(are_messages(messages, peeked));
	prove(queue_holds());
}

int taken_receiver_peek(struct crossvm_queue *q, struct crossvm_message *messages, size_t count,
			uint64_t deadline, size_t *peeked)
{
	size_t n = nondet_word();
	int rc = nondet_int();

	(void)deadline;
	prove(q == &queue && queue_holds() && count && count <= BATCH);
	any_state();
	assume(queue_holds() && rc <= 0 && n <= count && !rc == !!n);
	any_messages(messages, n);
	if (n || nondet_bool())
		*peeked = n;
	return rc;
}

void peek_batch(void)
{
	struct crossvm_message messages[BATCH];
	size_t peeked;

	any_queue();
	if (crossvm_queue_peek_batch(&queue, messages, BATCH, nondet_word(), &peeked) == 0) {
		prove(peeked >= 1 && peeked <= BATCH);
		prove(are_messages(messages, peeked));
	}
	prove(queue_holds());
}

void release(void)
{
	any_queue();
	crossvm_queue_release(&queue);
	prove(queue_holds());
}

void receive(void)
{
	size_t capacity = nondet_word(), size;

	any_queue();
	if (crossvm_queue_receive(&queue, any_buffer(capacity), capacity, &size, nondet_word()) ==
	    0)
		prove(size <= capacity);
	prove(queue_holds());
}

void arm_receive(void)
{
	any_queue();
	crossvm_queue_arm_receive(&queue);
	prove(queue_holds());
}

void close_receive(void)
{
	any_queue();
	crossvm_queue_close_receive(&queue);
	prove(queue_holds());
}
