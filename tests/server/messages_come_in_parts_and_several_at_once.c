/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "tests/server/dice.h"
#include "tests/server/words.h"

/* Messages of all sizes, cut anywhere, come out whole and in order, however the ring wraps. */
static void any_cut_gives_the_same_messages(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	unsigned char out[3 * WIRE_MESSAGE_BYTES];
	size_t filled = 0;
	uint32_t next_sent = 0, next_seen = 0;
	uint64_t last_id = 0, dice = 1;

	(void)state;
	while (next_seen < 20000) {
		struct wire_message message;
		size_t cut;

		while (filled < WIRE_MESSAGE_BYTES && next_sent < 20000) {
			uint32_t size = 8 + dice_roll(&dice, dice_roll(&dice, 50) ? 60 : 5112);

			memcpy(out + filled, &size, 4);
			memset(out + filled + 4, (int)next_sent, size - 4);
			memcpy(out + filled + 4, &next_sent, 4);
			next_sent++;
			filled += size;
		}
		cut = 1 + dice_roll(&dice, (uint32_t)filled);
		assert_int_equal(words_send(words.client, out, cut, -1), cut);
		memmove(out, out + cut, filled - cut);
		filled -= cut;
		while (wire_receive(words.wire, &words_owner) == 0) {
			while (wire_next(words.wire, words_size, &message) == 1) {
				uint32_t number;

				memcpy(&number, message.data + 4, 4);
				assert_int_equal(number, next_seen);
				if (message.bytes > 8)
					assert_int_equal(message.data[message.bytes - 1],
							 next_seen & 0xff);
				assert_true(message.id > last_id);
				last_id = message.id;
				next_seen++;
				wire_done(words.wire, &words_owner, &message);
			}
		}
	}
	words_end(&words);
}

static void a_size_that_cannot_be_ends_it(void **state)
{
	static const uint32_t sizes[] = {0, 3, WIRE_MESSAGE_BYTES + 1, UINT32_MAX, 0x80000000};
	struct wire_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct words words = words_start(WIRE_STREAM);

		assert_int_equal(words_send(words.client, &sizes[i], 4, -1), 4);
		assert_int_equal(wire_receive(words.wire, &words_owner), 0);
		assert_int_equal(wire_next(words.wire, words_size, &message), -EPROTO);
		words_end(&words);
	}
}

static void a_peer_that_goes_is_noticed_after_its_messages(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	const uint32_t size = 4;
	struct wire_message message;

	(void)state;
	assert_int_equal(wire_receive(words.wire, &words_owner), -EAGAIN);
	assert_int_equal(words_send(words.client, &size, 4, -1), 4);
	close(words.client);
	words.client = -1;
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, words_size, &message), 1);
	wire_done(words.wire, &words_owner, &message);
	assert_int_equal(wire_receive(words.wire, &words_owner), -ECONNRESET);
	words_end(&words);
}

/* It died with an answer unread, which the kernel tells first, and once: before what it had sent. */
static void a_peer_that_dies_before_it_reads_is_heard_to_its_end(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct words words = words_start(kind ? WIRE_PACKETS : WIRE_STREAM);
		const wire_size_fn size_of = kind ? NULL : words_size;
		const uint32_t size = 4;
		struct wire_message message;
		unsigned int seen = 0;
		int received;

		assert_int_equal(words_send(words.client, &size, 4, -1), 4);
		assert_int_equal(wire_receive(words.wire, &words_owner), 0);
		assert_int_equal(wire_next(words.wire, size_of, &message), 1);
		wire_answer(words.wire)[0] = 7;
		assert_int_equal(
			wire_answered(words.wire, &words_owner, &message, 1, NULL, 0, false), 0);
		for (int i = 0; i < 3; i++)
			assert_int_equal(words_send(words.client, &size, 4, -1), 4);
		close(words.client);
		words.client = -1;
		while ((received = wire_receive(words.wire, &words_owner)) == 0)
			for (; wire_next(words.wire, size_of, &message) == 1; seen++)
				wire_done(words.wire, &words_owner, &message);
		assert_int_equal(seen, 3);
		assert_int_equal(received, -ECONNRESET);
		words_end(&words);
	}
}

/* A peer that does not read its answers is not served further, and costs nobody anything. */
static void an_answer_that_does_not_go_out_stops_its_peer_only(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	unsigned char answer[WIRE_MESSAGE_BYTES];
	const uint32_t size = 4;
	struct wire_message message;
	unsigned int asked = 0, answered = 0;
	size_t read_bytes = 0;
	int sent = 0;

	(void)state;
	while (sent != -EAGAIN) {
		assert_int_equal(words_send(words.client, &size, 4, -1), 4);
		asked++;
		assert_int_equal(wire_receive(words.wire, &words_owner), 0);
		assert_int_equal(wire_next(words.wire, words_size, &message), 1);
		memset(wire_answer(words.wire), (int)answered, WIRE_MESSAGE_BYTES);
		sent = wire_answered(words.wire, &words_owner, &message, WIRE_MESSAGE_BYTES, NULL,
				     0, false);
		answered++;
	}
	assert_int_equal(wire_events(words.wire), EPOLLOUT | EPOLLET);
	assert_int_equal(words_send(words.client, &size, 4, -1), 4);
	asked++;
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, words_size, &message), 0);

	while (read_bytes < (size_t)answered * WIRE_MESSAGE_BYTES) {
		ssize_t count = read(words.client, answer, sizeof(answer));

		assert_true(count > 0);
		for (ssize_t i = 0; i < count; i++, read_bytes++)
			assert_int_equal(answer[i], (read_bytes / WIRE_MESSAGE_BYTES) & 0xff);
		wire_flush(words.wire);
	}
	assert_int_equal(wire_events(words.wire), EPOLLIN);
	assert_int_equal(wire_next(words.wire, words_size, &message), 1);
	assert_int_equal(answered, asked - 1);
	words_end(&words);
}

static void one_packet_is_one_message(void **state)
{
	struct words words = words_start(WIRE_PACKETS);
	unsigned char large[WIRE_RING_BYTES + 1] = {0};
	struct wire_message message;

	(void)state;
	assert_int_equal(words_send(words.client, "abc", 3, -1), 3);
	assert_int_equal(words_send(words.client, "defg", 4, -1), 4);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, NULL, &message), 1);
	assert_int_equal(message.bytes, 3);
	assert_memory_equal(message.data, "abc", 3);
	assert_int_equal(wire_receive(words.wire, &words_owner), -EAGAIN);
	for (unsigned int step = 0; step < 3; step++) {
		unsigned char got;

		assert_int_equal(wire_next(words.wire, NULL, &message), 1);
		assert_int_equal(message.step, step);
		wire_answer(words.wire)[0] = (unsigned char)step;
		assert_int_equal(
			wire_answered(words.wire, &words_owner, &message, 1, NULL, 0, step < 2), 0);
		assert_int_equal(read(words.client, &got, 1), 1);
		assert_int_equal(got, step);
	}
	assert_int_equal(wire_next(words.wire, NULL, &message), 0);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, NULL, &message), 1);
	assert_memory_equal(message.data, "defg", 4);
	wire_done(words.wire, &words_owner, &message);

	assert_int_equal(words_send(words.client, large, sizeof(large), -1), sizeof(large));
	assert_int_equal(wire_receive(words.wire, &words_owner), -EPROTO);
	words_end(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_gives_the_same_messages),
		cmocka_unit_test(a_size_that_cannot_be_ends_it),
		cmocka_unit_test(a_peer_that_goes_is_noticed_after_its_messages),
		cmocka_unit_test(a_peer_that_dies_before_it_reads_is_heard_to_its_end),
		cmocka_unit_test(an_answer_that_does_not_go_out_stops_its_peer_only),
		cmocka_unit_test(one_packet_is_one_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
