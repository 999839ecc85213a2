/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static const uint8_t data[8] = "message";

static int send_one(struct pair *pair, unsigned int from)
{
	return crossvm_queue_send(&pair->queue[from], data, sizeof(data), CROSSVM_NOW);
}

static int take_one(struct pair *pair, unsigned int member)
{
	uint8_t buffer[8];
	size_t size;

	return crossvm_queue_receive(&pair->queue[member], buffer, sizeof(buffer), &size,
				     CROSSVM_NOW);
}

static void for_the_receiver(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(send_one(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0), 0);
	crossvm_queue_close_send(&pair.queue[0]);
	assert_int_equal(send_one(&pair, 0), -CROSSVM_ESHUTDOWN);
	assert_int_equal(take_one(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	/* Half-close: the other direction goes on. */
	assert_int_equal(send_one(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 0), 0);
	pair_free(&pair);
}

static void for_a_receiver_that_sleeps(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_true(crossvm_queue_arm_receive(&pair.queue[1]));
	crossvm_queue_close_send(&pair.queue[0]);
	assert_int_equal(pair.bell[0].rings, 1);
	assert_false(crossvm_queue_arm_receive(&pair.queue[1]));
	pair_free(&pair);
}

static void for_the_sender(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(send_one(&pair, 0), 0);
	crossvm_queue_close_receive(&pair.queue[1]);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ESHUTDOWN);
	while (!send_one(&pair, 0))
		;
	assert_int_equal(send_one(&pair, 0), -CROSSVM_ESHUTDOWN);
	assert_false(crossvm_queue_arm_send(&pair.queue[0], 8));
	pair_free(&pair);
}

/* The commit after the close notices at the latest. */
static void for_the_sender_after_one_message_at_most(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 1048576);
	assert_int_equal(send_one(&pair, 0), 0);
	crossvm_queue_detach(&pair.queue[1]);
	assert_int_equal(send_one(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0), -CROSSVM_ESHUTDOWN);
	pair_free(&pair);
}

/* One program sends and ends, later another one comes to receive. */
static void for_a_receiver_that_comes_later(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	crossvm_queue_detach(&pair.queue[1]);
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0), 0);
	crossvm_queue_detach(&pair.queue[0]);

	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	crossvm_queue_detach(&pair.queue[1]);

	/* Nothing is left; the next receiver waits for the next sender. */
	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_EAGAIN);
	assert_true(crossvm_queue_arm_receive(&pair.queue[1]));
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(send_one(&pair, 0), 0);
	assert_int_equal(take_one(&pair, 1), 0);
	crossvm_queue_detach(&pair.queue[0]);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	pair_free(&pair);
}

/* One program only receives; the next one at the other end is not told that nothing comes. */
static void but_not_of_who_left_without_a_word(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	crossvm_queue_detach(&pair.queue[0]);
	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_EAGAIN);
	assert_false(crossvm_queue_peer_attached(&pair.queue[1]));
	/* Who was there when it closed is. */
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_EAGAIN);
	crossvm_queue_detach(&pair.queue[0]);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	pair_free(&pair);
}

/* It sends nothing, and says so, but is still there to receive. */
static void also_for_who_comes_while_it_listens(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	crossvm_queue_close_send(&pair.queue[0]);
	assert_int_equal(pair_attach(&pair, 1), 0);
	assert_true(crossvm_queue_peer_attached(&pair.queue[1]));
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	pair_free(&pair);
}

/* What is reserved and not committed is not sent by closing. */
static void without_what_was_only_reserved(void **state)
{
	struct pair pair;
	void *room;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(crossvm_queue_reserve(&pair.queue[0], 8, &room, CROSSVM_NOW), 0);
	crossvm_queue_detach(&pair.queue[0]);
	crossvm_queue_detach(&pair.queue[0]);
	assert_int_equal(take_one(&pair, 1), -CROSSVM_ENODATA);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(for_the_receiver),
		cmocka_unit_test(for_a_receiver_that_sleeps),
		cmocka_unit_test(for_the_sender),
		cmocka_unit_test(for_the_sender_after_one_message_at_most),
		cmocka_unit_test(for_a_receiver_that_comes_later),
		cmocka_unit_test(but_not_of_who_left_without_a_word),
		cmocka_unit_test(also_for_who_comes_while_it_listens),
		cmocka_unit_test(without_what_was_only_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
