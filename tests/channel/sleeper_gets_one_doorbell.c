/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static void send_some(struct pair *pair, unsigned int from, unsigned int count)
{
	uint8_t data[16] = {0};

	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(
			crossvm_queue_send(&pair->queue[from], data, sizeof(data), CROSSVM_NOW), 0);
}

static unsigned int take_all(struct pair *pair, unsigned int member)
{
	struct crossvm_message message;
	unsigned int count = 0;

	while (!crossvm_queue_peek(&pair->queue[member], &message, CROSSVM_NOW)) {
		crossvm_queue_release(&pair->queue[member]);
		count++;
	}
	return count;
}

static void receiver_for_the_first_message_only(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	send_some(&pair, 0, 3);
	assert_int_equal(pair.bell[0].rings, 0);
	assert_false(crossvm_queue_arm_receive(&pair.queue[1]));
	assert_int_equal(take_all(&pair, 1), 3);
	for (unsigned int i = 1; i <= 5; i++) {
		assert_true(crossvm_queue_arm_receive(&pair.queue[1]));
		send_some(&pair, 0, 4);
		assert_int_equal(pair.bell[0].rings, i);
		assert_int_equal(take_all(&pair, 1), 4);
	}
	pair_free(&pair);
}

static void receiver_while_it_sleeps_in_a_call(void **state)
{
	struct pair pair;
	struct crossvm_message message;

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, 5), -CROSSVM_ETIMEDOUT);
	assert_int_equal(pair.bell[1].waits, 1);
	/* It is awake again: nobody rings. */
	send_some(&pair, 0, 2);
	assert_int_equal(pair.bell[0].rings, 0);
	pair_free(&pair);
}

static void sender_when_the_room_it_wants_is_there(void **state)
{
	struct pair pair;
	struct crossvm_message message;
	unsigned int sent = 0;
	uint8_t data[16] = {0};

	(void)state;
	pair_init(&pair, 4096);
	while (!crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_NOW))
		sent++;
	assert_true(crossvm_queue_arm_send(&pair.queue[0], 100));
	/* 112 bytes: five messages of 24 make the room, the fifth release rings. */
	for (unsigned int i = 0; i < sent; i++) {
		assert_int_equal(pair.bell[1].rings, i < 5 ? 0 : 1);
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		crossvm_queue_release(&pair.queue[1]);
	}
	assert_false(crossvm_queue_arm_send(&pair.queue[0], 100));
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_NOW), 0);
	pair_free(&pair);
}

static void for_a_whole_batch(void **state)
{
	struct pair pair;
	struct crossvm_slice out[10];
	uint8_t data[16] = {0};
	size_t sent;

	(void)state;
	pair_init(&pair, 4096);
	for (unsigned int i = 0; i < 10; i++)
		out[i] = (struct crossvm_slice){data, sizeof(data)};
	assert_true(crossvm_queue_arm_receive(&pair.queue[1]));
	assert_int_equal(crossvm_queue_send_batch(&pair.queue[0], out, 10, CROSSVM_NOW, &sent), 0);
	assert_int_equal(pair.bell[0].rings, 1);
	pair_free(&pair);
}

/* A peer that died between its commit and its doorbell owes it; its next incarnation rings. */
static void from_the_next_incarnation_too(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 4096);
	assert_true(crossvm_queue_arm_receive(&pair.queue[1]));
	assert_int_equal(pair_attach(&pair, 0), 0);
	assert_int_equal(pair.bell[0].rings, 1);
	pair_free(&pair);
}

static void and_none_on_a_polling_channel(void **state)
{
	struct pair pair = {.bytes = 4096};
	struct crossvm_message message;
	uint8_t data[8] = {0};

	(void)state;
	pair.memory = memory_new(4096);
	for (unsigned int i = 0; i < 2; i++) {
		struct crossvm_port port = pair_port(&pair, i);
		struct crossvm_queue_config config = {.member = i, .flags = CROSSVM_QUEUE_POLLING};

		pair.bell[i].answer = -CROSSVM_ETIMEDOUT;
		assert_int_equal(crossvm_queue_attach(&pair.queue[i], &port, &config), 0);
	}
	assert_false(crossvm_queue_arm_receive(&pair.queue[1]));
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, 1), -CROSSVM_ETIMEDOUT);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_NOW), 0);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, 1), 0);
	crossvm_queue_release(&pair.queue[1]);
	crossvm_queue_detach(&pair.queue[0]);
	assert_int_equal(pair.bell[0].rings, 0);
	assert_int_equal(pair.bell[1].rings, 0);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receiver_for_the_first_message_only),
		cmocka_unit_test(receiver_while_it_sleeps_in_a_call),
		cmocka_unit_test(sender_when_the_room_it_wants_is_there),
		cmocka_unit_test(for_a_whole_batch),
		cmocka_unit_test(from_the_next_incarnation_too),
		cmocka_unit_test(and_none_on_a_polling_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
