/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

static const uint64_t regions[] = {4096, 8192, 12288, 65536, 3145728};

static void random_sizes(struct pair *pair, unsigned int from, uint32_t seed)
{
	struct crossvm_queue *a = &pair->queue[from], *b = &pair->queue[1 - from];
	size_t max = crossvm_queue_max_message(a);
	uint8_t *buffer = malloc(max);
	uint64_t sent = 0, received = 0;

	while (received < 3000) {
		size_t size = next_random(&seed) % 5 ? next_random(&seed) % 100
						     : next_random(&seed) % (max + 1);

		fill(buffer, size, sent);
		if (sent < 3000 && !crossvm_queue_send(a, buffer, size, CROSSVM_NOW)) {
			sent++;
		} else {
			struct crossvm_message message;

			while (!crossvm_queue_peek(b, &message, CROSSVM_NOW)) {
				assert_int_equal(message.id, received);
				assert_true(filled(message.data, message.size, received));
				received++;
				if (next_random(&seed) % 4)
					crossvm_queue_release(b);
			}
			crossvm_queue_release(b);
		}
	}
	assert_int_equal(sent, received);
	free(buffer);
}

static void of_any_size_in_dataports_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		struct pair pair;

		pair_init(&pair, regions[i]);
		random_sizes(&pair, 0, 12345 + (uint32_t)i);
		random_sizes(&pair, 1, 54321 + (uint32_t)i);
		pair_free(&pair);
	}
}

static void in_both_directions_at_once(void **state)
{
	struct pair pair;
	uint8_t data[64];
	size_t size;

	(void)state;
	pair_init(&pair, 4096);
	for (uint64_t i = 0; i < 1000; i++) {
		for (unsigned int m = 0; m < 2; m++) {
			fill(data, i % 64, i * 2 + m);
			assert_int_equal(
				crossvm_queue_send(&pair.queue[m], data, i % 64, CROSSVM_NOW), 0);
		}
		for (unsigned int m = 0; m < 2; m++) {
			assert_int_equal(crossvm_queue_receive(&pair.queue[m], data, sizeof(data),
							       &size, CROSSVM_NOW),
					 0);
			assert_int_equal(size, i % 64);
			assert_true(filled(data, size, i * 2 + 1 - m));
		}
	}
	pair_free(&pair);
}

static void gathered_from_pieces(void **state)
{
	struct pair pair;
	uint8_t data[300], back[300];
	size_t size;

	(void)state;
	pair_init(&pair, 4096);
	fill(data, sizeof(data), 7);
	for (size_t cut = 0; cut <= 200; cut++) {
		const struct crossvm_slice slices[] = {
			{data, cut}, {NULL, 0}, {data + cut, 1}, {data + cut + 1, 299 - cut}};

		assert_int_equal(crossvm_queue_sendv(&pair.queue[0], slices, 4, CROSSVM_NOW), 0);
		assert_int_equal(crossvm_queue_receive(&pair.queue[1], back, sizeof(back), &size,
						       CROSSVM_NOW),
				 0);
		assert_int_equal(size, 300);
		assert_memory_equal(data, back, 300);
	}
	pair_free(&pair);
}

static void in_batches_that_are_larger_than_the_ring(void **state)
{
	struct pair pair;
	struct crossvm_slice out[100];
	struct crossvm_message in[100];
	uint8_t data[100][40];
	size_t sent, peeked, total = 0;

	(void)state;
	pair_init(&pair, 4096);
	for (size_t i = 0; i < 100; i++) {
		fill(data[i], sizeof(data[i]), i);
		out[i] = (struct crossvm_slice){data[i], sizeof(data[i])};
	}
	for (size_t done = 0; done < 100; done += sent) {
		int rc = crossvm_queue_send_batch(&pair.queue[0], out + done, 100 - done,
						  CROSSVM_NOW, &sent);

		assert_int_equal(rc, done + sent == 100 ? 0 : -CROSSVM_EAGAIN);
		assert_int_equal(
			crossvm_queue_peek_batch(&pair.queue[1], in, 100, CROSSVM_NOW, &peeked), 0);
		assert_int_equal(peeked, sent);
		for (size_t i = 0; i < peeked; i++)
			assert_true(filled(in[i].data, in[i].size, total++));
		crossvm_queue_release(&pair.queue[1]);
	}
	assert_int_equal(total, 100);
	pair_free(&pair);
}

static void as_reserved_trimmed_and_not_cancelled(void **state)
{
	struct pair pair;
	struct crossvm_queue *a = &pair.queue[0];
	struct crossvm_message message;
	void *data;

	(void)state;
	pair_init(&pair, 4096);
	for (uint64_t i = 0; i < 500; i++) {
		assert_int_equal(crossvm_queue_reserve(a, 200, &data, CROSSVM_NOW), 0);
		fill(data, 200, 1);
		crossvm_queue_cancel(a);
		assert_int_equal(crossvm_queue_trim(a, 0), -CROSSVM_EINVAL);
		assert_int_equal(crossvm_queue_reserve(a, 100, &data, CROSSVM_NOW), 0);
		fill(data, 100, i);
		assert_int_equal(crossvm_queue_trim(a, 101), -CROSSVM_EINVAL);
		assert_int_equal(crossvm_queue_trim(a, i % 100), 0);
		assert_int_equal(crossvm_queue_reserve(a, 8, &data, CROSSVM_NOW), 0);
		fill(data, 8, i + 1);
		assert_int_equal(crossvm_queue_next_id(a), i * 2);
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW),
				 -CROSSVM_EAGAIN);
		crossvm_queue_commit(a);
		assert_int_equal(crossvm_queue_next_id(a), i * 2 + 2);

		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		assert_int_equal(message.size, i % 100);
		assert_true(filled(message.data, message.size, i));
		assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
		assert_int_equal(message.size, 8);
		assert_int_equal((uintptr_t)message.data % 8, 0);
		assert_true(filled(message.data, 8, i + 1));
		crossvm_queue_release(&pair.queue[1]);
	}
	pair_free(&pair);
}

/* At the ring's very end, with nothing behind it, and trimmed when that has been found out. */
static void also_trimmed_after_a_reserve_that_failed(void **state)
{
	struct pair pair;
	struct crossvm_queue *a = &pair.queue[0];
	struct crossvm_message message;
	size_t max;
	void *data;

	(void)state;
	pair_init(&pair, 4096);
	max = crossvm_queue_max_message(a);
	assert_int_equal(crossvm_queue_reserve(a, max, &data, CROSSVM_NOW), 0);
	fill(data, 100, 1);
	assert_int_equal(crossvm_queue_reserve(a, 8, &data, CROSSVM_NOW), -CROSSVM_EAGAIN);
	assert_int_equal(crossvm_queue_trim(a, 100), 0);
	assert_int_equal(crossvm_queue_reserve(a, 200, &data, CROSSVM_NOW), 0);
	fill(data, 200, 2);
	crossvm_queue_commit(a);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
	assert_true(message.size == 100 && filled(message.data, 100, 1));
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW), 0);
	assert_true(message.size == 200 && filled(message.data, 200, 2));
	pair_free(&pair);
}

static void unless_the_buffer_is_too_small(void **state)
{
	struct pair pair;
	uint8_t data[900];
	size_t size = 0;

	(void)state;
	pair_init(&pair, 4096);
	for (uint64_t i = 0; i < 50; i++) {
		fill(data, sizeof(data), i);
		assert_int_equal(
			crossvm_queue_send(&pair.queue[0], data, sizeof(data), CROSSVM_NOW), 0);
		assert_int_equal(
			crossvm_queue_receive(&pair.queue[1], data, 899, &size, CROSSVM_NOW),
			-CROSSVM_EMSGSIZE);
		assert_int_equal(size, 900);
		memset(data, 0, sizeof(data));
		assert_int_equal(
			crossvm_queue_receive(&pair.queue[1], data, 900, &size, CROSSVM_NOW), 0);
		assert_true(filled(data, size, i));
	}
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_any_size_in_dataports_of_any_size),
		cmocka_unit_test(in_both_directions_at_once),
		cmocka_unit_test(gathered_from_pieces),
		cmocka_unit_test(in_batches_that_are_larger_than_the_ring),
		cmocka_unit_test(as_reserved_trimmed_and_not_cancelled),
		cmocka_unit_test(also_trimmed_after_a_reserve_that_failed),
		cmocka_unit_test(unless_the_buffer_is_too_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
