/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static int send_one(struct pair *pair, unsigned int from, uint8_t value)
{
	return crossvm_queue_send(&pair->queue[from], &value, 1, CROSSVM_NOW);
}

static int take_one(struct pair *pair, unsigned int member, uint8_t expected)
{
	uint8_t value = 0;
	size_t size;
	int rc = crossvm_queue_receive(&pair->queue[member], &value, 1, &size, CROSSVM_NOW);

	if (!rc)
		assert_int_equal(value, expected);
	return rc;
}

static void to_the_receiver(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(send_one(&pair, 0, 1), 0);
	assert_int_equal(send_one(&pair, 0, 2), 0);
	assert_int_equal(take_one(&pair, 1, 1), 0);
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0, 3), 0);
	assert_int_equal(take_one(&pair, 1, 2), 0);
	assert_int_equal(take_one(&pair, 1, 0), -CROSSVM_ECONNRESET);
	assert_int_equal(take_one(&pair, 1, 3), 0);
	assert_int_equal(take_one(&pair, 1, 0), -CROSSVM_EAGAIN);
	pair_free(&pair);
}

static void to_a_receiver_that_sleeps(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_true(crossvm_queue_arm_receive(&pair.queue[1]));
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(pair.bell[0].rings, 1);
	assert_false(crossvm_queue_arm_receive(&pair.queue[1]));
	pair_free(&pair);
}

/* Of several restarts without a message in between, the last one is told. */
static void however_often_it_happened(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(send_one(&pair, 0, 1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0, 2), 0);
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(take_one(&pair, 1, 1), 0);
	assert_int_equal(take_one(&pair, 1, 2), 0);
	assert_int_equal(take_one(&pair, 1, 0), -CROSSVM_ECONNRESET);
	assert_int_equal(take_one(&pair, 1, 0), -CROSSVM_EAGAIN);
	pair_free(&pair);
}

/* A sender with room learns it with the commit after the restart, and sends what it has. */
static void to_the_sender(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(send_one(&pair, 0, 1), 0);
	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_int_equal(send_one(&pair, 0, 2), 0);
	assert_int_equal(send_one(&pair, 0, 3), -CROSSVM_ECONNRESET);
	assert_int_equal(send_one(&pair, 0, 3), 0);
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(take_one(&pair, 1, i), 0);
	pair_free(&pair);
}

/* Peeked and not released: comes again, with the same id. */
static void and_what_was_not_released_comes_again(void **state)
{
	struct pair pair;
	struct crossvm_message message;

	(void)state;
	pair_init(&pair, 4096);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(send_one(&pair, 0, i), 0);
	assert_int_equal(take_one(&pair, 1, 0), 0);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
	assert_int_equal(message.id, 2);
	assert_int_equal(pair_attach(&pair, 1), 0);
	for (uint8_t i = 1; i < 4; i++) {
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		assert_int_equal(message.id, i);
		assert_int_equal(*(const uint8_t *)message.data, i);
		crossvm_queue_release(&pair.queue[1]);
	}
	pair_free(&pair);
}

/* The peer that attaches for the first time is not a restart. */
static void but_not_for_the_first_attach(void **state)
{
	struct pair pair = {.bytes = 4096};

	(void)state;
	pair.memory = memory_new(4096);
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0, 9), 0);
	assert_int_equal(take_one(&pair, 0, 0), -CROSSVM_EAGAIN);
	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_int_equal(send_one(&pair, 1, 5), 0);
	assert_int_equal(take_one(&pair, 1, 9), 0);
	assert_int_equal(take_one(&pair, 0, 5), 0);
	assert_int_equal(send_one(&pair, 0, 9), 0);
	assert_int_equal(send_one(&pair, 0, 9), 0);
	pair_free(&pair);
}

/* Two processes as one member is a mistake that the first one notices before it sleeps. */
static void and_who_was_replaced_is_told(void **state)
{
	struct pair pair;
	struct crossvm_queue *old = malloc(sizeof(*old));
	struct crossvm_message message;

	(void)state;
	pair_init(&pair, 4096);
	*old = pair.queue[1];
	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_int_equal(crossvm_queue_peek(old, &message, 1), -CROSSVM_ESTALE);
	free(old);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_the_receiver),
		cmocka_unit_test(to_a_receiver_that_sleeps),
		cmocka_unit_test(however_often_it_happened),
		cmocka_unit_test(to_the_sender),
		cmocka_unit_test(and_what_was_not_released_comes_again),
		cmocka_unit_test(but_not_for_the_first_attach),
		cmocka_unit_test(and_who_was_replaced_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
