/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static const uint8_t data[100];

static unsigned int fill_ring(struct pair *pair)
{
	unsigned int count = 0;

	while (!crossvm_queue_send(&pair->queue[0], data, sizeof(data), CROSSVM_NOW))
		count++;
	return count;
}

static void take_one(void *ctx)
{
	struct pair *pair = ctx;
	struct crossvm_message message;

	assert_int_equal(crossvm_queue_peek(&pair->queue[1], &message, CROSSVM_NOW), 0);
	crossvm_queue_release(&pair->queue[1]);
}

static void until_something_is_released(void **state)
{
	struct pair pair;
	struct crossvm_message message;

	(void)state;
	pair_init(&pair, 4096);
	assert_true(fill_ring(&pair) > 10);
	/* Peeked is not released. */
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 50, CROSSVM_NOW),
			 -CROSSVM_EAGAIN);
	crossvm_queue_release(&pair.queue[1]);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 50, CROSSVM_NOW), 0);
	pair_free(&pair);
}

static void asleep_if_it_may(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	fill_ring(&pair);
	pair.bell[0].on_wait = take_one;
	pair.bell[0].ctx = &pair;
	pair.bell[0].answer = 0;
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_FOREVER), 0);
	assert_true(pair.bell[0].waits >= 100);
	assert_int_equal(pair.bell[1].rings, pair.bell[0].waits);
	pair_free(&pair);
}

static void until_the_port_says_otherwise(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	fill_ring(&pair);
	for (int i = 0; i < 3; i++) {
		const int answers[] = {-CROSSVM_ETIMEDOUT, -CROSSVM_EPIPE, -5};

		pair.bell[0].answer = answers[i];
		assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 100, 7), answers[i]);
	}
	/* What comes together with the bad news still counts. */
	pair.bell[0].on_wait = take_one;
	pair.bell[0].ctx = &pair;
	pair.bell[0].answer = -CROSSVM_EPIPE;
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 50, 7), 0);
	pair_free(&pair);
}

/* The peer is dead and the ring has room: a queue keeps what is sent until it is back. */
static void but_a_peer_that_is_gone_does_not(void **state)
{
	struct pair pair;
	struct crossvm_message message;
	unsigned int sent;

	(void)state;
	pair_init(&pair, 4096);
	pair.bell[0].answer = -CROSSVM_EPIPE;
	sent = fill_ring(&pair);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 100, CROSSVM_FOREVER),
			 -CROSSVM_EPIPE);
	assert_int_equal(pair_attach(&pair, 1), 0);
	for (unsigned int i = 0; i < sent; i++) {
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		assert_int_equal(message.id, i);
	}
	pair_free(&pair);
}

/* Waiting for room that its own reserved messages take would be waiting for ever. */
static void nor_does_it_wait_for_itself(void **state)
{
	struct pair pair;
	void *room;
	unsigned int reserved = 0;

	(void)state;
	pair_init(&pair, 4096);
	while (!crossvm_queue_reserve(&pair.queue[0], 100, &room, CROSSVM_FOREVER))
		reserved++;
	assert_true(reserved > 10);
	assert_int_equal(pair.bell[0].waits, 0);
	assert_int_equal(crossvm_queue_reserve(&pair.queue[0], 100, &room, CROSSVM_FOREVER),
			 -CROSSVM_EAGAIN);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 1, CROSSVM_NOW), -CROSSVM_EINVAL);
	crossvm_queue_commit(&pair.queue[0]);
	assert_int_equal(crossvm_queue_next_id(&pair.queue[0]), reserved);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(until_something_is_released),
		cmocka_unit_test(asleep_if_it_may),
		cmocka_unit_test(until_the_port_says_otherwise),
		cmocka_unit_test(but_a_peer_that_is_gone_does_not),
		cmocka_unit_test(nor_does_it_wait_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
