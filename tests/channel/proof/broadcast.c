/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broadcast, by induction as the queue: attach leaves a state for which writer_holds() or
 * reader_holds(), and every function keeps it. The writer's own records in the dataport are anything,
 * too; and the reader never stores.
 */
#include "tests/channel/proof/proof.h"

/* Bounds the words of a message, and the records that one message pushes out. */
#ifndef MESSAGE_BYTES
#define MESSAGE_BYTES 9u
#endif
#define SLICES 2u

static struct crossvm_broadcast_writer writer;
static struct crossvm_broadcast_reader reader;
static bool writing;

bool may_store(uint64_t offset, uint64_t bytes)
{
	return writing && within(offset, bytes, 0, dataport_bytes);
}

static bool writer_holds(void)
{
	return writer.shared == (void *)dataport &&
	       ring_holds(writer.ring, writer.ring_bytes, sizeof(struct crossvm_abi_broadcast)) &&
	       writer.ring_bytes >= 64 && aligned(writer.head) && aligned(writer.oldest) &&
	       writer.head - writer.oldest <= writer.ring_bytes && aligned(writer.head_offset) &&
	       writer.head_offset < writer.ring_bytes && aligned(writer.oldest_offset) &&
	       writer.oldest_offset < writer.ring_bytes && writer.entry <= 1;
}

static bool reader_holds(void)
{
	return reader.shared == (void *)dataport &&
	       ring_holds(reader.ring, reader.ring_bytes, sizeof(struct crossvm_abi_broadcast)) &&
	       reader.offset < reader.ring_bytes && spin_holds(&reader.spin) &&
	       (reader.peeked_span == 0 ||
		(aligned(reader.offset) && aligned(reader.peeked_span) &&
		 reader.peeked_span <= reader.ring_bytes - reader.offset)) &&
	       (aligned(reader.position) == aligned(reader.offset));
}

static uint8_t *the_ring(void)
{
	return dataport + sizeof(struct crossvm_abi_broadcast);
}

static uint64_t the_ring_bytes(void)
{
	return (dataport_bytes - sizeof(struct crossvm_abi_broadcast)) / CROSSVM_RING_ALIGN *
	       CROSSVM_RING_ALIGN;
}

static void any_state(const struct crossvm_port *port)
{
	struct crossvm_broadcast_writer any;

	any.port = *port;
	any.shared = (void *)dataport;
	any.ring = the_ring();
	any.ring_bytes = the_ring_bytes();
	any.oldest = POSITION;
	any.head = POSITION + any_small();
	any.oldest_offset = any_small();
	any.head_offset = any_small();
	writer = any;
	assume(writer_holds());
}

static void any_writer(void)
{
	struct crossvm_port port = port_new();

	any_state(&port);
	writing = true;
}

static void any_reader(void)
{
	struct crossvm_port port = port_new();
	struct crossvm_broadcast_reader any;

	any.port = port;
	any.shared = (void *)dataport;
	any.ring = the_ring();
	any.ring_bytes = the_ring_bytes();
	any.offset = any_small();
	any.peeked_span = any_small();
	reader = any;
	assume(reader_holds());
	assume(any.spin.limit <= SPIN_LIMIT);
}

static void any_slices(struct crossvm_slice *slices)
{
	static uint8_t data[MESSAGE_BYTES];

	for (unsigned int i = 0; i < SLICES; i++) {
		slices[i].size = nondet_word();
		slices[i].data = data;
		assume(slices[i].size <= MESSAGE_BYTES);
	}
}

void writer_attach(void)
{
	struct crossvm_port port = port_new();
	struct crossvm_broadcast_config config = {.ring_every = 1};

	writing = true;
	if (crossvm_broadcast_writer_attach(&writer, &port, &config) == 0)
		prove(writer_holds());
}

void writer_detach(void)
{
	any_writer();
	crossvm_broadcast_writer_detach(&writer);
	prove(!writer.shared);
}

void format(void)
{
	struct crossvm_port port = port_new();

	writing = true;
	prove(crossvm_broadcast_format(&port) == 0);
}

void inspect(void)
{
	struct crossvm_broadcast_info info;
	struct crossvm_port port = port_new();

	prove(crossvm_broadcast_inspect(port.memory, port.bytes, &info) <= 0);
}

void sendv(void)
{
	struct crossvm_slice slices[SLICES];

	any_writer();
	any_slices(slices);
	assume(slices[0].size + slices[1].size <= MESSAGE_BYTES);
	prove(crossvm_broadcast_sendv(&writer, slices, SLICES) <= 0);
	prove(writer_holds());
}

/*
 * As sendv shows it, for messages of up to MESSAGE_BYTES: larger ones only have more turns of the same
 * loops.
 */
int taken_writer_publish(struct crossvm_broadcast_writer *w, const struct crossvm_slice *slices,
			 size_t count, uint64_t size)
{
	int rc = nondet_int();

	prove(w == &writer && writer_holds() && count == 1 && slices->size == size);
	prove(size <= crossvm_broadcast_max_message(w));
	any_state(&writer.port);
	assume(rc <= 0);
	return rc;
}

void send_batch(void)
{
	struct crossvm_slice slices[SLICES];
	size_t sent;

	any_writer();
	for (unsigned int i = 0; i < SLICES; i++)
		slices[i] = (struct crossvm_slice){dataport, nondet_word()};
	crossvm_broadcast_send_batch(&writer, slices, SLICES, &sent);
	prove(sent <= SLICES);
	prove(writer_holds());
}

void flush(void)
{
	any_writer();
	crossvm_broadcast_flush(&writer);
	prove(writer_holds());
}

void reader_attach(void)
{
	struct crossvm_port port = port_new();
	struct crossvm_reader_config config = {.from_oldest = nondet_bool(), .spin_limit = 1};

	if (crossvm_broadcast_reader_attach(&reader, &port, &config) == 0)
		prove(reader_holds());
}

void peek(void)
{
	struct crossvm_message message;
	uint64_t lost;

	any_reader();
	if (crossvm_broadcast_peek(&reader, &message, &lost, nondet_word()) == 0) {
		prove(__CPROVER_same_object(message.data, dataport));
		prove(within(__CPROVER_POINTER_OFFSET(message.data), message.size,
			     __CPROVER_POINTER_OFFSET(reader.ring), reader.ring_bytes));
		prove(aligned(__CPROVER_POINTER_OFFSET(message.data)));
	}
	prove(reader_holds());
}

void accept(void)
{
	any_reader();
	crossvm_broadcast_accept(&reader);
	prove(reader_holds());
}

void receive(void)
{
	uint8_t buffer[MESSAGE_BYTES];
	size_t size;
	uint64_t lost;

	any_reader();
	if (crossvm_broadcast_receive(&reader, buffer, sizeof(buffer), &size, &lost,
				      nondet_word()) == 0)
		prove(size <= sizeof(buffer));
	prove(reader_holds());
}

void idle(void)
{
	any_reader();
	crossvm_broadcast_idle(&reader);
	prove(reader_holds());
}
