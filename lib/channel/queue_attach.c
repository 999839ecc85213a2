/* SPDX-License-Identifier: BSD-2-Clause */
/* Joining a queue, for the first time or after a crash, and leaving it. */
#include <string.h>

#include "lib/channel/journal.h"
#include "lib/channel/queue.h"

int channel_queue_compare_peer(const struct crossvm_queue *queue,
			       struct crossvm_complaint *complaint)
{
	return channel_geometry_compare(&queue->hello, &queue_peer(queue)->hello, complaint);
}

void channel_queue_doorbell(struct crossvm_queue *queue, uint64_t *counter)
{
	if (queue->polling)
		return;
	channel_wait_count(counter);
	queue->port.ring(queue->port.ctx);
}

/* The sender's position, which only we wrote, against the peer's, which is anything. */
static int attach_sender(struct crossvm_queue *queue)
{
	const struct crossvm_abi_hello *hello = &queue->hello;
	struct crossvm_queue_sender *s = &queue->sender;
	uint64_t head = load(&queue_out(queue)->head.position);
	uint64_t tail = load_acquire(&queue_out(queue)->tail.position);
	struct crossvm_abi_count count;

	s->ring = (uint8_t *)queue->port.memory + hello->ring_offset[queue->member];
	s->ring_bytes = hello->ring_bytes[queue->member];
	if (head >= CROSSVM_POSITION_LIMIT || head % CROSSVM_RECORD_ALIGN)
		return complain(&queue->complaint, CROSSVM_BAD_OWN_POSITION, CROSSVM_POSITION_LIMIT,
				head);
	if (tail > head || head - tail > s->ring_bytes || tail % CROSSVM_RECORD_ALIGN)
		return complain(&queue->complaint, CROSSVM_BAD_TAIL, head, tail);
	if (!journal_find(&queue->shared->counts[queue->member].sent, head, &s->entry, &count))
		return complain(&queue->complaint, CROSSVM_BAD_OWN_COUNT, head, 0);

	s->entry ^= 1;
	s->head = s->next = s->rung = head;
	s->head_offset = s->next_offset = head % s->ring_bytes;
	s->tail = tail;
	s->messages = s->committed_messages = count.messages;
	s->bytes = s->committed_bytes = count.bytes;
	return 0;
}

static int attach_receiver(struct crossvm_queue *queue)
{
	const struct crossvm_abi_hello *hello = &queue->hello;
	struct crossvm_queue_receiver *r = &queue->receiver;
	uint64_t tail = load(&queue_in(queue)->tail.position);
	struct crossvm_abi_count count;

	r->ring = (const uint8_t *)queue->port.memory + hello->ring_offset[1 - queue->member];
	r->ring_bytes = hello->ring_bytes[1 - queue->member];
	if (tail >= CROSSVM_POSITION_LIMIT || tail % CROSSVM_RECORD_ALIGN)
		return complain(&queue->complaint, CROSSVM_BAD_OWN_POSITION, CROSSVM_POSITION_LIMIT,
				tail);
	if (!journal_find(&queue->shared->counts[queue->member].received, tail, &r->entry, &count))
		return complain(&queue->complaint, CROSSVM_BAD_OWN_COUNT, tail, 0);

	r->entry ^= 1;
	r->tail = r->read = r->rung = tail;
	r->read_offset = tail % r->ring_bytes;
	r->messages = count.messages;
	r->bytes = count.bytes;
	return 0;
}

bool crossvm_queue_peer_attached(const struct crossvm_queue *queue)
{
	const struct crossvm_abi_state *peer = &queue_peer(queue)->state;

	return load(&peer->incarnation) &&
	       !(load_acquire(&peer->send_closed) && load(&peer->receive_closed));
}

/* Who the peer is now; its head is checked when it is first looked at. */
static int attach_peer(struct crossvm_queue *queue)
{
	const struct crossvm_abi_state *peer = &queue_peer(queue)->state;
	/* Acquires the release at the end of the peer's attach. */
	uint64_t incarnation = load_acquire(&peer->incarnation);

	if (!incarnation)
		return 0;
	queue->sender.peer_incarnation = incarnation;
	queue->receiver.peer_incarnation = incarnation;
	if (load(&peer->receive_closed))
		queue->sender.left_before = incarnation;
	/* A peer that left before we came, and left nothing to receive, is past: wait for the next. */
	if (!crossvm_queue_peer_attached(queue) &&
	    load(&queue_in(queue)->head.position) == queue->receiver.tail)
		queue->receiver.ended_before = incarnation;
	return channel_queue_compare_peer(queue, &queue->complaint);
}

/* From here on the peer sees us; a crash in between leaves what the next attach repeats. */
static void attach_publish(struct crossvm_queue *queue)
{
	struct crossvm_abi_state *state = &queue_own(queue)->state;

	channel_geometry_publish(&queue->hello, &queue_own(queue)->hello);
	store(&state->wake_receiver, CROSSVM_WAKE_NEVER);
	store(&state->wake_sender, CROSSVM_WAKE_NEVER);
	store(&state->send_closed, 0);
	store(&state->receive_closed, 0);
	store(&state->start_position, queue->sender.head);
	queue->incarnation = load(&state->incarnation) + 1;
	if (!queue->incarnation)
		queue->incarnation = 1;
	/* Acquired by the peer in sender_check_peer, receiver_refresh and attach_peer. */
	store_release(&state->incarnation, queue->incarnation);
	/* Also for the peer that sleeps because our last incarnation died before it could ring. */
	channel_queue_doorbell(queue, &queue->shared->stats[queue->member].sender.doorbells);
}

int crossvm_queue_attach(struct crossvm_queue *queue, const struct crossvm_port *port,
			 const struct crossvm_queue_config *config)
{
	uint32_t spin_limit = config->spin_limit;
	int rc = channel_geometry_check_port(port);

	memset(queue, 0, sizeof(*queue));
	if (rc || config->member > 1 || (config->flags & ~CROSSVM_QUEUE_POLLING) || !port->ring ||
	    !port->wait)
		return -CROSSVM_EINVAL;
	queue->port = *port;
	queue->shared = port->memory;
	queue->member = config->member;
	queue->polling = config->flags & CROSSVM_QUEUE_POLLING;
	if (queue->polling && !spin_limit)
		spin_limit = CROSSVM_SPIN_LIMIT_DEFAULT;
	queue->fence_by_lock = channel_fence_by_lock();
	channel_spin_init(&queue->sender.spin, spin_limit);
	channel_spin_init(&queue->receiver.spin, spin_limit);

	rc = channel_geometry_queue(&queue->hello, port->bytes, config->first_ring_bytes,
				    queue->polling ? CROSSVM_CHANNEL_POLLING : 0);
	if (!rc && load(&queue_own(queue)->hello.magic))
		rc = channel_geometry_compare(&queue->hello, &queue_own(queue)->hello,
					      &queue->complaint);
	if (!rc)
		rc = attach_sender(queue);
	if (!rc)
		rc = attach_receiver(queue);
	if (!rc)
		rc = attach_peer(queue);
	if (rc)
		return rc;
	attach_publish(queue);
	return 0;
}

void crossvm_queue_detach(struct crossvm_queue *queue)
{
	if (!queue->shared)
		return;
	crossvm_queue_close_send(queue);
	crossvm_queue_close_receive(queue);
	queue->shared = NULL;
}

int crossvm_queue_format(const struct crossvm_port *port)
{
	int rc = channel_geometry_check_port(port);

	if (rc)
		return rc;
	for (uint64_t i = 0; i < sizeof(struct crossvm_abi_queue) / sizeof(uint64_t); i++)
		store((uint64_t *)port->memory + i, 0);
	fence(false);
	return 0;
}

struct crossvm_complaint crossvm_queue_complaint(const struct crossvm_queue *queue)
{
	if (queue->complaint.kind != CROSSVM_FINE)
		return queue->complaint;
	if (queue->sender.complaint.kind != CROSSVM_FINE)
		return queue->sender.complaint;
	return queue->receiver.complaint;
}

size_t crossvm_queue_max_message(const struct crossvm_queue *queue)
{
	return (size_t)(queue->sender.ring_bytes - CROSSVM_RECORD_HEADER_BYTES);
}

uint64_t crossvm_queue_next_id(const struct crossvm_queue *queue)
{
	return queue->sender.committed_messages;
}
