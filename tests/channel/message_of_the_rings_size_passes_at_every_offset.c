/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

/* The receiver, while the sender sleeps: takes whatever is there. */
static void drain(void *ctx)
{
	struct pair *pair = ctx;
	struct crossvm_message message;

	while (!crossvm_queue_peek(&pair->queue[1], &message, CROSSVM_NOW)) {
		assert_true(filled(message.data, message.size, message.id));
		crossvm_queue_release(&pair->queue[1]);
	}
}

static void send(struct pair *pair, size_t size)
{
	uint8_t data[4096];

	fill(data, size, crossvm_queue_next_id(&pair->queue[0]));
	assert_int_equal(crossvm_queue_send(&pair->queue[0], data, size, CROSSVM_FOREVER), 0);
}

static void every_large_size_at_every_offset(void **state)
{
	struct pair pair;
	size_t max;

	(void)state;
	pair_init(&pair, 4096);
	pair.bell[0].on_wait = drain;
	pair.bell[0].ctx = &pair;
	pair.bell[0].answer = 0;
	max = crossvm_queue_max_message(&pair.queue[0]);
	assert_true(max >= 1400);
	for (size_t size = max - 24; size <= max; size++) {
		for (size_t shift = 0; shift < 1500; shift += 8) {
			send(&pair, shift % 32);
			send(&pair, size);
			drain(&pair);
			send(&pair, 0);
		}
	}
	drain(&pair);
	assert_true(pair.bell[0].waits > 0);
	assert_int_equal(crossvm_queue_complaint(&pair.queue[1]).kind, CROSSVM_FINE);
	pair_free(&pair);
}

static void one_byte_more_is_refused(void **state)
{
	struct pair pair;
	uint8_t data[4096];
	void *room;
	size_t max;

	(void)state;
	pair_init(&pair, 4096);
	max = crossvm_queue_max_message(&pair.queue[0]);
	fill(data, sizeof(data), 0);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, max + 1, CROSSVM_FOREVER),
			 -CROSSVM_EMSGSIZE);
	assert_int_equal(crossvm_queue_reserve(&pair.queue[0], SIZE_MAX, &room, CROSSVM_NOW),
			 -CROSSVM_EMSGSIZE);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, max, CROSSVM_NOW), 0);
	assert_int_equal(crossvm_queue_send(&pair.queue[0], data, 0, CROSSVM_NOW), -CROSSVM_EAGAIN);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_large_size_at_every_offset),
		cmocka_unit_test(one_byte_more_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
