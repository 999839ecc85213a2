/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static uint64_t header(uint64_t kind, uint64_t size)
{
	return (kind << 32) | size;
}

static void assert_broken(struct pair *pair, unsigned int member, enum crossvm_complaint_kind kind)
{
	assert_int_equal(crossvm_queue_complaint(&pair->queue[member]).kind, kind);
}

/* Member 0 is the liar: it publishes a head, then member 1 looks. */
static void with_an_impossible_head(void **state)
{
	struct pair pair;
	struct crossvm_message message;

	(void)state;
	pair_init(&pair, 4096);
	for (unsigned int i = 0; i < 6; i++) {
		const uint64_t ring = pair.queue[1].receiver.ring_bytes;
		const uint64_t lies[] = {ring + 8, 4, UINT64_MAX, UINT64_C(1) << 63, ring * 2, 12};

		assert_int_equal(pair_attach(&pair, 1), 0);
		pair.shared->ring[0].head.position = lies[i];
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_FOREVER),
				 -CROSSVM_EPROTO);
		assert_broken(&pair, 1, CROSSVM_BAD_HEAD);
		assert_int_equal(crossvm_queue_complaint(&pair.queue[1]).theirs, lies[i]);
		/* It stays broken, whatever the peer says later. */
		pair.shared->ring[0].head.position = 0;
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_FOREVER),
				 -CROSSVM_EPROTO);
	}
	pair_free(&pair);
}

static void with_a_head_that_goes_back(void **state)
{
	struct pair pair;
	struct crossvm_message message;
	uint64_t data[2] = {0};

	(void)state;
	pair_init(&pair, 4096);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_NOW), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
	pair.shared->ring[0].head.position = 24;
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW),
			 -CROSSVM_EPROTO);
	assert_broken(&pair, 1, CROSSVM_BAD_HEAD);
	pair_free(&pair);
}

static void with_an_impossible_tail(void **state)
{
	struct pair pair;
	uint8_t data[100] = {0};

	(void)state;
	for (int i = 0; i < 5; i++) {
		uint64_t lies[] = {8, 4, UINT64_MAX, UINT64_C(1) << 63, 0};

		pair_init(&pair, 4096);
		while (!crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_NOW))
			;
		lies[0] = pair.shared->ring[0].head.position + 8;
		lies[4] = pair.shared->ring[0].head.position - 4;
		pair.shared->ring[0].tail.position = lies[i];
		assert_int_equal(
			crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_FOREVER),
			-CROSSVM_EPROTO);
		assert_broken(&pair, 0, CROSSVM_BAD_TAIL);
		assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 0, CROSSVM_FOREVER),
				 -CROSSVM_EPROTO);
		pair_free(&pair);
	}
}

struct lie {
	uint64_t header;
	enum crossvm_complaint_kind kind;
};

static void with_a_bad_record(void **state)
{
	struct pair pair;
	struct crossvm_message message;
	const struct lie lies[] = {
		{header(0, 0), CROSSVM_BAD_RECORD_KIND},
		{header(CROSSVM_RECORD_MESSAGE + 1, 8), CROSSVM_BAD_RECORD_KIND},
		{header(UINT32_MAX, 8), CROSSVM_BAD_RECORD_KIND},
		{header(CROSSVM_RECORD_MESSAGE, 41), CROSSVM_BAD_RECORD_SIZE},
		{header(CROSSVM_RECORD_MESSAGE, 4096), CROSSVM_BAD_RECORD_SIZE},
		{header(CROSSVM_RECORD_MESSAGE, UINT32_MAX), CROSSVM_BAD_RECORD_SIZE},
		{header(CROSSVM_RECORD_MESSAGE, UINT32_MAX - 7), CROSSVM_BAD_RECORD_SIZE},
		{header(CROSSVM_RECORD_PAD, 0), CROSSVM_BAD_RECORD_SIZE},
		{header(CROSSVM_RECORD_PAD, 40), CROSSVM_BAD_RECORD_SIZE},
		{header(CROSSVM_RECORD_PAD, UINT32_MAX), CROSSVM_BAD_RECORD_SIZE},
	};

	(void)state;
	pair_init(&pair, 4096);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint64_t *record =
			(uint64_t *)(void *)((uint8_t *)pair.memory + sizeof(*pair.shared));

		assert_int_equal(pair_attach(&pair, 1), 0);
		record[0] = lies[i].header;
		pair.shared->ring[0].head.position = 48;
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW),
				 -CROSSVM_EPROTO);
		assert_broken(&pair, 1, lies[i].kind);
	}
	pair_free(&pair);
}

/* A record that goes on behind the ring's end, where the other ring or nothing at all is. */
static void with_a_record_beyond_the_ring(void **state)
{
	struct pair pair;
	struct crossvm_message message;

	(void)state;
	for (unsigned int member = 0; member < 2; member++) {
		uint64_t ring, at;
		uint64_t *record;

		pair_init(&pair, 4096);
		ring = pair.queue[member].receiver.ring_bytes;
		at = ring - 16;
		record = (uint64_t *)(void *)((uint8_t *)pair.memory + sizeof(*pair.shared) +
					      (1 - member) * ring + at);
		pair.shared->ring[1 - member].tail.position = at;
		pair.shared->counts[member].received.entry[0].position = at;
		pair.shared->ring[1 - member].head.position = at + 64;
		assert_int_equal(pair_attach(&pair, member), 0);
		*record = header(CROSSVM_RECORD_MESSAGE, 24);
		assert_int_equal(crossvm_queue_peek(&pair.queue[member], &message, CROSSVM_NOW),
				 -CROSSVM_EPROTO);
		assert_broken(&pair, member, CROSSVM_BAD_RECORD_SIZE);
		pair_free(&pair);
	}
}

/* Two pads in a row would be work without a bound. */
static void with_pads_only(void **state)
{
	struct pair pair;
	struct crossvm_message message;
	uint64_t ring;

	(void)state;
	pair_init(&pair, 4096);
	ring = pair.queue[1].receiver.ring_bytes;
	*(uint64_t *)(void *)((uint8_t *)pair.memory + sizeof(*pair.shared)) =
		header(CROSSVM_RECORD_PAD, ring - 8);
	pair.shared->ring[0].head.position = ring;
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_FOREVER),
			 -CROSSVM_EPROTO);
	assert_broken(&pair, 1, CROSSVM_BAD_RECORD_SIZE);
	pair_free(&pair);
}

static void with_an_impossible_restart(void **state)
{
	struct pair pair;
	struct crossvm_message message;
	uint64_t data = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		const uint64_t lies[] = {0, 8, UINT64_MAX, 36};

		pair_init(&pair, 4096);
		for (int n = 0; n < 2; n++)
			assert_int_equal(crossvm_queue_send(&pair.queue[0], &data, 8, CROSSVM_NOW),
					 0);
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		pair.shared->member[0].state.start_position = lies[i];
		pair.shared->member[0].state.incarnation++;
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_FOREVER),
				 -CROSSVM_EPROTO);
		assert_broken(&pair, 1, CROSSVM_BAD_START);
		pair_free(&pair);
	}
}

/* The liar may write to our own words, too. */
static void when_our_own_words_were_overwritten(void **state)
{
	struct pair pair;

	(void)state;
	for (int i = 0; i < 6; i++) {
		const enum crossvm_complaint_kind kinds[] = {
			CROSSVM_BAD_OWN_POSITION, CROSSVM_BAD_OWN_POSITION, CROSSVM_BAD_OWN_COUNT,
			CROSSVM_BAD_OWN_POSITION, CROSSVM_BAD_OWN_COUNT,    CROSSVM_BAD_TAIL};
		uint64_t *words[6];
		const uint64_t lies[] = {UINT64_C(1) << 62, 4, 8, 12, 16, 8};

		pair_init(&pair, 4096);
		words[0] = words[1] = words[2] = &pair.shared->ring[0].head.position;
		words[3] = words[4] = &pair.shared->ring[1].tail.position;
		words[5] = &pair.shared->ring[0].tail.position;
		*words[i] = lies[i];
		assert_int_equal(pair_attach(&pair, 0), -CROSSVM_EPROTO);
		assert_broken(&pair, 0, kinds[i]);
		pair_free(&pair);
	}
}

/* Any wake position makes us ring once a commit at most. */
static void and_rings_it_asks_for_are_bounded(void **state)
{
	struct pair pair;
	uint32_t seed = 1;
	uint64_t data = 0;
	size_t size;

	(void)state;
	pair_init(&pair, 4096);
	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int before = pair.bell[0].rings;

		pair.shared->member[1].state.wake_receiver = next_random(&seed) % 30000;
		assert_int_equal(crossvm_queue_send(&pair.queue[0], &data, 8, CROSSVM_NOW), 0);
		assert_true(pair.bell[0].rings <= before + 1);
		assert_int_equal(
			crossvm_queue_receive(&pair.queue[1], &data, 8, &size, CROSSVM_NOW), 0);
	}
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_an_impossible_head),
		cmocka_unit_test(with_a_head_that_goes_back),
		cmocka_unit_test(with_an_impossible_tail),
		cmocka_unit_test(with_a_bad_record),
		cmocka_unit_test(with_a_record_beyond_the_ring),
		cmocka_unit_test(with_pads_only),
		cmocka_unit_test(with_an_impossible_restart),
		cmocka_unit_test(when_our_own_words_were_overwritten),
		cmocka_unit_test(and_rings_it_asks_for_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
