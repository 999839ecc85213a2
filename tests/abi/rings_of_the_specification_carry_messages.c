/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring written from docs/next/channels-layout.md alone, as plainly as can be: one process is both
 * sides in turn. Each side is killed before any of its stores, and the next one attaches. Everything
 * that was published is received, once and in order, and messages up to the payload ring's size pass
 * at every offset. It shows that layout and arithmetic hold together; it is no implementation.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/next/abi.h>
#include <crossvm/next/abi_channel.h>

#define RING_BYTES 1600u
#define LOG2       4u
#define SLOTS      (UINT64_C(1) << LOG2)

static _Alignas(128) unsigned char memory[RING_BYTES];
static struct crossvm_abi_ring *const ring = (void *)memory;
static uint64_t *const slots = (uint64_t *)(void *)(memory + CROSSVM_RING_HEADER_BYTES);
static unsigned char *const payload = memory + CROSSVM_RING_HEADER_BYTES + 8 * SLOTS;
static uint64_t payload_bytes;

static jmp_buf killed;
static long fuse; /* stores until the kill; 0: none */

#define CHECK(what)                                                                \
	do {                                                                       \
		if (!(what)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                   \
		}                                                                  \
	} while (0)

static void step(void)
{
	if (fuse && --fuse == 0)
		longjmp(killed, 1);
}

static void store(uint64_t *word, uint64_t value)
{
	step();
	*word = value;
}

static uint64_t *slot_at(uint64_t slot)
{
	return &slots[slot & (SLOTS - 1)];
}

static bool published(uint64_t slot)
{
	uint64_t lap = CROSSVM_SLOT_LAP(*slot_at(slot));

	CHECK(lap == crossvm_slot_lap(slot, LOG2) || lap == crossvm_slot_lap_before(slot, LOG2));
	return lap == crossvm_slot_lap(slot, LOG2);
}

/* What is in the slots from a head on. */
struct parsed {
	uint64_t kind, size, run, more, begin, end;
};

static struct parsed parse(uint64_t slot, uint64_t position)
{
	uint64_t head = *slot_at(slot);
	struct parsed p = {
		.kind = CROSSVM_SLOT_KIND(head), .run = 1, .begin = position, .end = position};

	switch (p.kind) {
	case CROSSVM_SLOT_MESSAGE:
		p.run = CROSSVM_SLOT_COUNT(head) + 1;
		break;
	case CROSSVM_SLOT_TAGGED:
		p.more = 1;
		break;
	case CROSSVM_SLOT_INLINE:
		p.size = CROSSVM_SLOT_COUNT(head);
		p.more = crossvm_inline_more((uint32_t)p.size);
		break;
	case CROSSVM_SLOT_SKIP:
		p.run = 0;
		p.end = (position + payload_bytes - 1) / payload_bytes * payload_bytes;
		break;
	case CROSSVM_SLOT_RESTART:
		p.run = 0;
		p.more = CROSSVM_RESTART_SLOTS - 1;
		break;
	default:
		CHECK(!"a kind that is known");
	}
	if (p.kind == CROSSVM_SLOT_MESSAGE || p.kind == CROSSVM_SLOT_TAGGED) {
		p.size = CROSSVM_SLOT_VALUE(head);
		p.begin = crossvm_payload_begin(position, p.size, p.run, payload_bytes);
		p.end = p.begin + p.run * crossvm_payload_span(p.size);
		CHECK(p.begin % payload_bytes + (p.end - p.begin) <= payload_bytes);
	}
	return p;
}

/* The sender. */

static struct {
	struct crossvm_abi_place at; /* what is published */
	uint64_t next;               /* slot, of what is written and not published */
} sender;

static bool claim(uint64_t end_slot, uint64_t end_payload)
{
	struct crossvm_abi_place *entry;
	uint64_t current = ring->claim.current & 1;

	if (end_slot > ring->tail.tail_slot + SLOTS ||
	    end_payload > ring->tail.tail_payload + payload_bytes)
		return false;
	if (end_slot <= ring->claim.claim_slot && end_payload <= ring->claim.claim_payload)
		return true;
	entry = &ring->sent.entry[!current];
	store(&entry->slot, sender.at.slot);
	store(&entry->payload, sender.at.payload);
	store(&entry->messages, sender.at.messages);
	store(&entry->bytes, sender.at.bytes);
	store(&ring->claim.current, !current);
	if (end_payload > ring->claim.claim_payload)
		store(&ring->claim.claim_payload, end_payload);
	end_slot += SLOTS / 8;
	if (end_slot > ring->tail.tail_slot + SLOTS)
		end_slot = ring->tail.tail_slot + SLOTS;
	if (end_slot > ring->claim.claim_slot)
		store(&ring->claim.claim_slot, end_slot);
	return true;
}

static void put(uint64_t slot, uint64_t contents)
{
	store(slot_at(slot), contents | crossvm_slot_lap(slot, LOG2) << CROSSVM_SLOT_LAP_SHIFT);
}

static uint64_t head_of(uint64_t kind, uint64_t value, uint64_t count)
{
	return value | count << CROSSVM_SLOT_COUNT_SHIFT | kind << CROSSVM_SLOT_KIND_SHIFT;
}

/* A head with its MORE slots, which come first. */
static bool publish(uint64_t head, const uint64_t *more, unsigned int num_more, uint64_t end)
{
	if (!claim(sender.at.slot + 1 + num_more, end))
		return false;
	for (unsigned int i = 0; i < num_more; i++)
		put(sender.at.slot + 1 + i, more[i]);
	put(sender.at.slot, head);
	sender.at.slot += 1 + num_more;
	sender.at.payload = end;
	return true;
}

static bool send_inline(const unsigned char *data, uint32_t size)
{
	unsigned char padded[4 + 7 * 6] = {0};
	uint64_t more[7] = {0}, value = 0;
	uint32_t num_more = crossvm_inline_more(size);

	memcpy(padded, data, size);
	memcpy(&value, padded, CROSSVM_INLINE_HEAD);
	for (uint32_t i = 0; i < num_more; i++)
		memcpy(&more[i], padded + 4 + 6 * (size_t)i, CROSSVM_INLINE_MORE);
	if (!publish(head_of(CROSSVM_SLOT_INLINE, value, size), more, num_more, sender.at.payload))
		return false;
	sender.at.messages++;
	sender.at.bytes += size;
	return true;
}

static bool send_run(const unsigned char *data, uint32_t size, uint32_t run, bool tagged)
{
	uint64_t span = crossvm_payload_span(size), position = sender.at.payload;
	uint64_t begin = crossvm_payload_begin(position, size, run, payload_bytes);
	uint64_t tag = 0x123456789abc;

	if (begin + run * span - position > payload_bytes) {
		/* Too large together with what is left before the end. */
		if (!publish(head_of(CROSSVM_SLOT_SKIP, 0, 0), NULL, 0, begin))
			return false;
		position = begin;
	}
	begin = crossvm_payload_begin(position, size, run, payload_bytes);
	if (!claim(sender.at.slot + 1 + tagged, begin + run * span))
		return false;
	for (uint32_t i = 0; i < run; i++) {
		step();
		memcpy(payload + begin % payload_bytes + i * span, data + (size_t)i * size, size);
	}
	if (!publish(head_of(tagged ? CROSSVM_SLOT_TAGGED : CROSSVM_SLOT_MESSAGE, size, run - 1),
		     &tag, tagged, begin + run * span))
		return false;
	sender.at.messages += run;
	sender.at.bytes += (uint64_t)run * size;
	return true;
}

static uint64_t next_state(uint64_t state)
{
	uint64_t next =
		crossvm_next_incarnation((uint32_t)(state >> CROSSVM_SIDE_INCARNATION_SHIFT));

	return next << CROSSVM_SIDE_INCARNATION_SHIFT | (state & CROSSVM_SIDE_EPOCH_MASK);
}

static void sender_attach(void)
{
	sender.at = ring->sent.entry[ring->claim.current & 1];
	CHECK(sender.at.slot <= ring->claim.claim_slot &&
	      ring->claim.claim_slot <= sender.at.slot + SLOTS);
	CHECK(sender.at.payload <= ring->claim.claim_payload &&
	      ring->claim.claim_payload <= sender.at.payload + payload_bytes);
	while (sender.at.slot < ring->claim.claim_slot && published(sender.at.slot)) {
		struct parsed p = parse(sender.at.slot, sender.at.payload);

		sender.at.slot += 1 + p.more;
		sender.at.payload = p.end;
		sender.at.messages += p.run;
		sender.at.bytes += p.run * p.size;
	}
	for (uint64_t s = sender.at.slot; s < ring->claim.claim_slot; s++)
		if (published(s))
			store(slot_at(s), crossvm_slot_lap_before(s, LOG2)
						  << CROSSVM_SLOT_LAP_SHIFT);
	store(&ring->sender.state, next_state(ring->sender.state));
}

static bool send_restart(void)
{
	uint64_t more[2] = {sender.at.messages & CROSSVM_SLOT_MORE_MASK, sender.at.messages >> 48};

	return publish(head_of(CROSSVM_SLOT_RESTART,
			       ring->sender.state >> CROSSVM_SIDE_INCARNATION_SHIFT, 0),
		       more, 2, sender.at.payload);
}

/* The receiver. */

static struct {
	struct crossvm_abi_place at;
	uint64_t done;
} receiver;

static void receiver_attach(void)
{
	uint64_t position = ring->own.position;

	receiver.at = ring->received.entry[ring->own.current & 1];
	receiver.done = position & ((1u << CROSSVM_POSITION_DONE_BITS) - 1);
	position >>= CROSSVM_POSITION_DONE_BITS;
	CHECK(receiver.at.slot <= position && position <= receiver.at.slot + SLOTS);
	while (receiver.at.slot < position) {
		struct parsed p = parse(receiver.at.slot, receiver.at.payload);

		receiver.at.slot += 1 + p.more;
		receiver.at.payload = p.end;
		receiver.at.messages += p.run;
		receiver.at.bytes += p.run * p.size;
	}
	CHECK(receiver.at.slot == position);
	store(&ring->receiver.state, next_state(ring->receiver.state));
	store(&ring->tail.tail_payload, ring->received.entry[ring->own.current & 1].payload);
	store(&ring->tail.tail_slot, ring->received.entry[ring->own.current & 1].slot);
}

static void give_back(void)
{
	uint64_t current = ring->own.current & 1;
	struct crossvm_abi_place *entry = &ring->received.entry[!current];

	store(&entry->slot, receiver.at.slot);
	store(&entry->payload, receiver.at.payload);
	store(&entry->messages, receiver.at.messages);
	store(&entry->bytes, receiver.at.bytes);
	store(&ring->own.current, !current);
	store(&ring->tail.tail_payload, receiver.at.payload);
	store(&ring->tail.tail_slot, receiver.at.slot);
}

/* What the sender put in: number and size of each message, and what is to be found in its bytes. */
static uint64_t received; /* messages released, over all lives */

static uint32_t size_of(uint64_t number)
{
	static const uint32_t sizes[] = {8, 0, 46, 5, 64, 33, 32, 300, 1, 100, 16, 9, 45};

	return number % 29 == 28 ? (uint32_t)payload_bytes
				 : sizes[number * 7 % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void fill(unsigned char *data, uint64_t number, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		data[i] = (unsigned char)(number * 31 + i * 7 + 1);
}

static void take(const unsigned char *data, uint64_t size, uint64_t id)
{
	unsigned char expected[RING_BYTES];

	CHECK(id == received);
	CHECK(size == size_of(id));
	fill(expected, id, (uint32_t)size);
	CHECK(memcmp(data, expected, size) == 0);
}

/* One message, or what is between them. */
static bool receive(void)
{
	struct parsed p;
	uint64_t position;

	if (!published(receiver.at.slot))
		return false;
	p = parse(receiver.at.slot, receiver.at.payload);
	CHECK(p.end <= ring->received.entry[ring->own.current & 1].payload + payload_bytes);
	if (p.kind == CROSSVM_SLOT_INLINE) {
		unsigned char data[4 + 7 * 6];

		memcpy(data, slot_at(receiver.at.slot), CROSSVM_INLINE_HEAD);
		for (uint64_t i = 0; i < p.more; i++)
			memcpy(data + 4 + 6 * i, slot_at(receiver.at.slot + 1 + i),
			       CROSSVM_INLINE_MORE);
		take(data, p.size, receiver.at.messages);
	} else if (p.run) {
		take(payload + p.begin % payload_bytes +
			     receiver.done * crossvm_payload_span(p.size),
		     p.size, receiver.at.messages + receiver.done);
	}
	/* Release. */
	position = p.run && receiver.done + 1 < p.run ? receiver.at.slot
						      : receiver.at.slot + 1 + p.more;
	step();
	ring->own.position = position << CROSSVM_POSITION_DONE_BITS |
			     (position == receiver.at.slot ? receiver.done + 1 : 0);
	received += p.run > 0;
	if (position == receiver.at.slot) {
		receiver.done++;
		return true;
	}
	receiver.done = 0;
	receiver.at.slot = position;
	receiver.at.payload = p.end;
	receiver.at.messages += p.run;
	receiver.at.bytes += p.run * p.size;
	return true;
}

/* One life of each side. The sender goes on with the message after the last one that is published. */

static uint64_t run_of(uint64_t number, uint64_t limit)
{
	uint64_t run = 1;

	while (run < 3 && number + run < limit && size_of(number + run) == size_of(number))
		run++;
	return run;
}

static bool send_next(uint64_t limit)
{
	unsigned char data[3 * RING_BYTES];
	uint64_t number = sender.at.messages;
	uint32_t size = size_of(number), run;

	if (size <= CROSSVM_INLINE_MAX && number % 3) {
		fill(data, number, size);
		return send_inline(data, size);
	}
	run = (uint32_t)run_of(number, limit);
	for (uint32_t i = 0; i < run; i++)
		fill(data + (size_t)i * size, number + i, size);
	return send_run(data, size, run, run == 1 && number % 5 == 0);
}

static bool sender_lives(uint64_t limit)
{
	volatile bool begun = false;

	if (setjmp(killed))
		return false;
	sender_attach();
	while (sender.at.messages < limit) {
		bool progress = begun ? send_next(limit) : send_restart();
		long left = fuse;

		begun = begun || progress;
		if (progress)
			continue;
		fuse = 0; /* the receiver lives for ever here */
		while (receive())
			;
		give_back();
		fuse = left;
	}
	return true;
}

static bool receiver_lives(void)
{
	if (setjmp(killed))
		return false;
	receiver_attach();
	for (unsigned int n = 1; receive(); n++)
		if (n % 3 == 0)
			give_back();
	give_back();
	return true;
}

static void begin(void)
{
	memset(memory, 0, sizeof(memory));
	memset(&receiver, 0, sizeof(receiver));
	received = 0;
	fuse = 0;
}

static void senders_are_killed(uint64_t limit)
{
	bool whole = false;

	for (long at = 1; !whole; at++) {
		begin();
		receiver_attach();
		fuse = at;
		whole = sender_lives(limit);
		fuse = 0;
		CHECK(sender_lives(limit) || whole);
		while (receive())
			;
		CHECK(received == limit && receiver.at.messages == limit);
		CHECK(receiver.at.bytes == sender.at.bytes);
	}
}

static void send_until_it_is_full(uint64_t limit, bool *restarted)
{
	if (!*restarted)
		*restarted = send_restart();
	while (*restarted && sender.at.messages < limit && send_next(limit))
		;
}

static void receivers_are_killed(uint64_t limit)
{
	bool whole = false;

	for (long at = 1; !whole; at++) {
		bool restarted = false;
		long left = at;

		begin();
		receiver_attach();
		sender_attach();
		whole = true;
		while (received < limit) {
			fuse = 0;
			send_until_it_is_full(limit, &restarted);
			fuse = left;
			if (!receiver_lives()) {
				whole = false;
				fuse = 0;
				CHECK(receiver_lives());
			}
			left = fuse;
		}
		CHECK(received == limit && receiver.at.messages == limit);
		CHECK(receiver.at.bytes == sender.at.bytes);
	}
}

static void the_largest_message_passes_at_every_offset(void)
{
	unsigned char data[RING_BYTES];

	for (uint32_t before = 0; before < payload_bytes; before += 8) {
		begin();
		receiver_attach();
		sender_attach();
		memset(data, 5, sizeof(data));
		CHECK(send_run(data, before, 1, false));
		receiver.at = sender.at;
		ring->own.position = sender.at.slot << CROSSVM_POSITION_DONE_BITS;
		give_back();
		/* At most SKIP goes first, and needs to be given back. */
		if (!send_run(data, (uint32_t)payload_bytes, 1, false)) {
			receiver.at = sender.at;
			ring->own.position = sender.at.slot << CROSSVM_POSITION_DONE_BITS;
			give_back();
			CHECK(send_run(data, (uint32_t)payload_bytes, 1, false));
		}
		CHECK((sender.at.payload - payload_bytes) % payload_bytes == 0);
	}
}

static void arithmetic_is_as_the_headers_say(void)
{
	uint64_t word = 0;

	CHECK(crossvm_next_incarnation(0) == 1 && crossvm_next_incarnation(UINT32_MAX) == 1);
	word = crossvm_claim_taken(word, 5, CROSSVM_CLAIM_GUARDED);
	CHECK(CROSSVM_CLAIM_SEAT(word) == 5 && CROSSVM_CLAIM_INCARNATION(word) == 1);
	CHECK((word & CROSSVM_CLAIM_HELD) && (word & CROSSVM_CLAIM_GUARDED));
	word = crossvm_claim_left(word);
	CHECK(word == UINT64_C(1) << CROSSVM_CLAIM_INCARNATION_SHIFT);
	CHECK(CROSSVM_CLAIM_INCARNATION(crossvm_claim_taken(word, 0, 0)) == 2);

	CHECK(crossvm_count_news(3, 7) == 4 && crossvm_count_news(7, 3) == 0);
	CHECK(crossvm_count_news(0, CROSSVM_COUNT_LIMIT) == 0);

	CHECK(crossvm_slot_lap_before(3, 4) == 0 && crossvm_slot_lap(3, 4) == 1);
	for (uint64_t slot = 16; slot < 3u << 20; slot += 16)
		CHECK(crossvm_slot_lap_before(slot, 4) == crossvm_slot_lap(slot - 16, 4) &&
		      crossvm_slot_lap_before(slot, 4) != crossvm_slot_lap(slot, 4) &&
		      crossvm_slot_lap(slot, 4) != 0);

	CHECK(crossvm_inline_more(0) == 0 && crossvm_inline_more(4) == 0);
	CHECK(crossvm_inline_more(5) == 1 && crossvm_inline_more(10) == 1);
	CHECK(crossvm_inline_more(CROSSVM_INLINE_MAX) == 7);

	for (uint64_t bytes = 960; bytes < UINT64_C(1) << 32; bytes += bytes / 3 / 64 * 64) {
		unsigned int log2 = crossvm_ring_slots_log2(bytes);
		uint64_t room = crossvm_ring_payload_bytes(bytes, log2);

		CHECK(log2 >= CROSSVM_SLOTS_LOG2_MIN && log2 <= CROSSVM_SLOTS_LOG2_USUAL);
		CHECK(room >= 64 && room % 64 == 0);
		CHECK(CROSSVM_RING_HEADER_BYTES + (UINT64_C(8) << log2) + room <= bytes);
	}
	CHECK(crossvm_register_value_max(256, 2) == 0 && crossvm_register_value_max(512, 2) == 48);
}

int main(void)
{
	payload_bytes = crossvm_ring_payload_bytes(RING_BYTES, LOG2);
	arithmetic_is_as_the_headers_say();
	the_largest_message_passes_at_every_offset();
	senders_are_killed(120);
	receivers_are_killed(120);
	return 0;
}
