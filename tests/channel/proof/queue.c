/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue, by induction: attach leaves a state for which queue_holds(), whatever the dataport
 * contains; and every function, called in any such state, whatever the dataport contains at each
 * look, touches only what it may, ends, and leaves such a state. So it is for any number of calls.
 */
#include "tests/channel/proof/proof.h"

#include "lib/channel/geometry.h"
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

static bool sender_holds(const struct crossvm_queue_sender *s)
{
	uint64_t last_end = s->last_offset + span_of(CROSSVM_RECORD_HEADER_BYTES, s->last_size);

	if (!ring_holds(s->ring, s->ring_bytes, sizeof(struct crossvm_abi_queue)))
		return false;
	if (!aligned(s->next) || !aligned(s->head) || !aligned(s->tail) || !aligned(s->room) ||
	    !aligned(s->next_offset) || !aligned(s->head_offset))
		return false;
	if (s->next_offset > s->ring_bytes || s->head_offset > s->ring_bytes)
		return false;
	if (s->next - s->tail > s->ring_bytes || s->head - s->tail > s->next - s->tail)
		return false;
	if (s->room > s->ring_bytes - s->next_offset ||
	    s->room > s->ring_bytes - (s->next - s->tail))
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

static bool queue_holds(void)
{
	return queue.member <= 1 && queue.shared == (void *)dataport &&
	       sender_holds(&queue.sender) && receiver_holds(&queue.receiver) && rings_apart() &&
	       spin_holds(&queue.sender.spin) && spin_holds(&queue.receiver.spin) &&
	       queue.sender.entry <= 1 && queue.receiver.entry <= 1;
}

/* Any state that a queue may be in. */
static void any_queue(void)
{
	struct crossvm_port port = port_new();
	struct crossvm_queue any;

	any.port = port;
	any.shared = (void *)dataport;
	any.member = MEMBER;
	assume(channel_geometry_queue(&any.hello, dataport_bytes, FIRST_RING_BYTES,
				      any.hello.flags) == 0);
	any.sender.ring = dataport + any.hello.ring_offset[any.member];
	any.sender.ring_bytes = any.hello.ring_bytes[any.member];
	any.receiver.ring = dataport + any.hello.ring_offset[1 - any.member];
	any.receiver.ring_bytes = any.hello.ring_bytes[1 - any.member];
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
	assume(queue_holds());
	assume(any.sender.spin.limit <= SPIN_LIMIT && any.receiver.spin.limit <= SPIN_LIMIT);
}

static void *any_buffer(size_t size)
{
	void *buffer;

	assume(size < UINT64_C(1) << 33);
	buffer = malloc(size);
	assume(buffer);
	return buffer;
}

static void any_slices(struct crossvm_slice *slices)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		slices[i].size = nondet_word();
		slices[i].data = any_buffer(slices[i].size);
	}
}

/* What was peeked lies in the ring that the peer writes. */
static void prove_message(const struct crossvm_message *message)
{
	uint64_t ring = __CPROVER_POINTER_OFFSET(queue.receiver.ring);

	prove(__CPROVER_same_object(message->data, dataport));
	prove(within(__CPROVER_POINTER_OFFSET(message->data), message->size, ring,
		     queue.receiver.ring_bytes));
	prove(aligned(__CPROVER_POINTER_OFFSET(message->data)));
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

void reserve(void)
{
	size_t size = nondet_word();
	void *data;

	any_queue();
	if (crossvm_queue_reserve(&queue, size, &data, nondet_word()) == 0) {
		uint64_t offset = __CPROVER_POINTER_OFFSET(data);

		prove(__CPROVER_same_object(data, dataport));
		prove(within(offset, size, __CPROVER_POINTER_OFFSET(queue.sender.ring),
			     queue.sender.ring_bytes));
	}
	prove(queue_holds());
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
	any_queue();
	crossvm_queue_commit(&queue);
	prove(queue_holds());
}

void send(void)
{
	size_t size = nondet_word();

	any_queue();
	crossvm_queue_send(&queue, any_buffer(size), size, nondet_word());
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
		prove_message(&message);
	prove(queue_holds());
}

void peek_batch(void)
{
	struct crossvm_message messages[BATCH];
	size_t peeked;

	any_queue();
	if (crossvm_queue_peek_batch(&queue, messages, BATCH, nondet_word(), &peeked) == 0) {
		prove(peeked >= 1 && peeked <= BATCH);
		for (unsigned int i = 0; i < peeked; i++)
			prove_message(&messages[i]);
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
