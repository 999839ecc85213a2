/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static void exactly_also_after_restarts(void **state)
{
	struct pair pair;
	struct crossvm_queue_info info;
	struct crossvm_message message;
	uint8_t data[100] = {0};
	uint64_t sent = 0, received = 0;

	(void)state;
	pair_init(&pair, 4096);
	for (uint64_t i = 0; i < 200; i++) {
		if (!crossvm_queue_send(&pair.queue[0], data, i % 100, CROSSVM_NOW))
			sent += i % 100;
		if (i % 3 == 0 && !crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW)) {
			received += message.size;
			crossvm_queue_release(&pair.queue[1]);
		}
		if (i % 50 == 49) {
			assert_int_equal(pair_attach(&pair, 0), 0);
			assert_int_equal(pair_attach(&pair, 1), 0);
		}
		assert_int_equal(crossvm_queue_inspect(pair.memory, pair.bytes, &info), 0);
		assert_int_equal(info.member[0].sender.messages,
				 crossvm_queue_next_id(&pair.queue[0]));
		assert_int_equal(info.member[0].sender.bytes, sent);
		assert_int_equal(info.member[1].receiver.bytes, received);
		assert_int_equal(info.member[1].sender.messages, 0);
		assert_true(info.waiting[0] >= sent - received);
		assert_int_equal(info.waiting[1], 0);
	}
	assert_int_equal(info.member[0].incarnation, 5);
	assert_int_equal(info.version, CROSSVM_CHANNEL_VERSION);
	assert_int_equal(info.ring_bytes[0], pair.queue[0].sender.ring_bytes);
	assert_int_equal(info.ring_bytes[1], pair.queue[0].receiver.ring_bytes);
	pair_free(&pair);
}

static void of_doorbells_sleeps_and_stalls(void **state)
{
	struct pair pair;
	struct crossvm_queue_info info;
	struct crossvm_message message;
	uint8_t data[100] = {0};

	(void)state;
	pair_init(&pair, 4096);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, 1), -CROSSVM_ETIMEDOUT);
	while (!crossvm_queue_send(&pair.queue[0], data, 100, 1))
		;
	assert_true(crossvm_queue_arm_send(&pair.queue[0], 0) ||
		    !crossvm_queue_send(&pair.queue[0], data, 0, CROSSVM_NOW));
	crossvm_queue_close_send(&pair.queue[0]);
	assert_int_equal(crossvm_queue_inspect(pair.memory, pair.bytes, &info), 0);
	assert_int_equal(info.member[1].receiver.sleeps, 1);
	assert_int_equal(info.member[1].receiver.stalls, 1);
	assert_int_equal(info.member[0].sender.sleeps, 1);
	assert_int_equal(info.member[0].sender.stalls, 1);
	assert_true(info.member[0].sender.closed);
	assert_false(info.member[0].receiver.closed);
	/* One by the attach, one by the close. */
	assert_int_equal(info.member[0].sender.doorbells, 2);
	assert_int_equal(crossvm_queue_inspect(pair.memory, 100, &info), -CROSSVM_EINVAL);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_also_after_restarts),
		cmocka_unit_test(of_doorbells_sleeps_and_stalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
