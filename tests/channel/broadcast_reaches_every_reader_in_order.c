/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/channel/fixture.h"

#define READERS 3

struct air {
	void *memory;
	uint64_t bytes;
	struct bell bell[READERS + 1];
	struct crossvm_broadcast_writer writer;
	struct crossvm_broadcast_reader reader[READERS];
};

static struct crossvm_port port_of(struct air *air, unsigned int who)
{
	return (struct crossvm_port){.memory = air->memory,
				     .bytes = air->bytes,
				     .ring = bell_ring,
				     .wait = bell_wait,
				     .ctx = &air->bell[who]};
}

static int write_attach(struct air *air, uint32_t ring_every)
{
	struct crossvm_port port = port_of(air, READERS);
	struct crossvm_broadcast_config config = {.ring_every = ring_every};

	return crossvm_broadcast_writer_attach(&air->writer, &port, &config);
}

static int read_attach(struct air *air, unsigned int who, bool from_oldest)
{
	struct crossvm_port port = port_of(air, who);
	struct crossvm_reader_config config = {.from_oldest = from_oldest, .spin_limit = 3};

	air->bell[who].answer = -CROSSVM_ETIMEDOUT;
	return crossvm_broadcast_reader_attach(&air->reader[who], &port, &config);
}

static void air_init(struct air *air, uint64_t bytes)
{
	memset(air, 0, sizeof(*air));
	air->bytes = bytes;
	air->memory = memory_new(bytes);
	assert_int_equal(write_attach(air, 0), 0);
	for (unsigned int i = 0; i < READERS; i++)
		assert_int_equal(read_attach(air, i, false), 0);
	air->bell[READERS].rings = 0;
}

static void air_free(struct air *air)
{
	memory_free(air->memory, air->bytes);
}

/* Publish message number n. */
static void publish(struct air *air, uint64_t n, size_t size)
{
	uint8_t *data = malloc(size + 1);

	fill(data, size, n);
	assert_int_equal(crossvm_broadcast_send(&air->writer, data, size), 0);
	free(data);
}

/* Receive one, which must be number n, after so many were lost. */
static void expect(struct air *air, unsigned int who, uint64_t n, size_t size, uint64_t lost)
{
	uint8_t data[2048];
	size_t got;
	uint64_t missed;

	assert_int_equal(crossvm_broadcast_receive(&air->reader[who], data, sizeof(data), &got,
						   &missed, CROSSVM_NOW),
			 0);
	assert_int_equal(got, size);
	assert_int_equal(missed, lost);
	assert_true(filled(data, size, n));
}

static int result(struct air *air, unsigned int who)
{
	uint8_t data[2048];
	size_t size;
	uint64_t lost;

	return crossvm_broadcast_receive(&air->reader[who], data, sizeof(data), &size, &lost,
					 CROSSVM_NOW);
}

static void if_they_keep_up(void **state)
{
	struct air air;

	(void)state;
	air_init(&air, 4096);
	for (uint64_t n = 0; n < 2000; n++) {
		publish(&air, n, n * 37 % 1500);
		for (unsigned int i = 0; i < READERS; i++) {
			expect(&air, i, n, n * 37 % 1500, 0);
			assert_int_equal(result(&air, i), -CROSSVM_EAGAIN);
		}
	}
	air_free(&air);
}

static void and_the_slow_ones_know_how_many_they_lost(void **state)
{
	struct air air;
	uint32_t seed = 5;
	uint64_t published = 0, total = 0;

	(void)state;
	air_init(&air, 4096);
	for (unsigned int round = 0; round < 500; round++) {
		uint32_t burst = next_random(&seed) % 60;

		while (burst--) {
			publish(&air, published, published * 31 % 300);
			published++;
		}
		for (unsigned int i = 0; i < READERS; i++) {
			struct crossvm_message message;
			uint64_t lost;

			while (next_random(&seed) % (i * 3 + 2) == 0 &&
			       !crossvm_broadcast_peek(&air.reader[i], &message, &lost,
						       CROSSVM_NOW)) {
				uint64_t expected = air.reader[i].sequence;

				/* The first message seen is nobody's loss. */
				if (air.reader[i].started)
					assert_int_equal(message.id, expected + lost);
				assert_int_equal(message.size, message.id * 31 % 300);
				assert_true(filled(message.data, message.size, message.id));
				assert_int_equal(crossvm_broadcast_accept(&air.reader[i]), 0);
				total += lost;
			}
		}
	}
	assert_true(total > 1000);
	air_free(&air);
}

static void though_only_the_writer_can_write(void **state)
{
	struct air air;

	(void)state;
	air_init(&air, 8192);
	publish(&air, 0, 100);
	assert_int_equal(mprotect(air.memory, air.bytes, PROT_READ), 0);
	assert_int_equal(read_attach(&air, 0, true), 0);
	expect(&air, 0, 0, 100, 0);
	expect(&air, 1, 0, 100, 0);
	assert_true(crossvm_broadcast_idle(&air.reader[1]));
	assert_int_equal(result(&air, 1), -CROSSVM_EAGAIN);
	air_free(&air);
}

/* Overwritten while it was being looked at. */
static void and_nothing_torn_is_accepted(void **state)
{
	struct air air;
	struct crossvm_message message;
	uint64_t lost, n = 0;

	(void)state;
	air_init(&air, 4096);
	publish(&air, n++, 1000);
	assert_int_equal(crossvm_broadcast_peek(&air.reader[0], &message, &lost, CROSSVM_NOW), 0);
	for (int i = 0; i < 3; i++)
		publish(&air, n++, 1000);
	assert_int_equal(crossvm_broadcast_accept(&air.reader[0]), -CROSSVM_EAGAIN);
	assert_int_equal(crossvm_broadcast_accept(&air.reader[0]), -CROSSVM_EINVAL);
	expect(&air, 0, 1, 1000, 0);
	/* Nor what was peeked before a peek that failed. */
	assert_int_equal(crossvm_broadcast_peek(&air.reader[0], &message, &lost, CROSSVM_NOW), 0);
	assert_int_equal(write_attach(&air, 0), 0);
	assert_int_equal(crossvm_broadcast_peek(&air.reader[0], &message, &lost, CROSSVM_NOW),
			 -CROSSVM_ECONNRESET);
	assert_int_equal(crossvm_broadcast_accept(&air.reader[0]), -CROSSVM_EINVAL);
	air_free(&air);
}

static void from_the_oldest_or_the_next_as_they_like(void **state)
{
	struct air air;
	struct crossvm_message message;
	uint64_t lost;

	(void)state;
	air_init(&air, 4096);
	for (uint64_t n = 0; n < 20; n++)
		publish(&air, n, 600);
	assert_int_equal(read_attach(&air, 0, true), 0);
	assert_int_equal(read_attach(&air, 1, false), 0);
	assert_int_equal(crossvm_broadcast_peek(&air.reader[0], &message, &lost, CROSSVM_NOW), 0);
	assert_in_range(message.id, 14, 16);
	for (uint64_t n = message.id; n < 20; n++)
		expect(&air, 0, n, 600, 0);
	assert_int_equal(result(&air, 1), -CROSSVM_EAGAIN);
	publish(&air, 20, 1);
	expect(&air, 0, 20, 1, 0);
	expect(&air, 1, 20, 1, 0);
	air_free(&air);
}

static void with_as_few_doorbells_as_asked(void **state)
{
	struct air air;
	struct crossvm_slice slices[25];
	size_t sent;

	(void)state;
	air_init(&air, 4096);
	for (unsigned int i = 0; i < 7; i++)
		publish(&air, i, 1);
	assert_int_equal(air.bell[READERS].rings, 7);
	for (unsigned int i = 0; i < 25; i++)
		slices[i] = (struct crossvm_slice){"x", 1};
	assert_int_equal(crossvm_broadcast_send_batch(&air.writer, slices, 25, &sent), 0);
	assert_int_equal(sent, 25);
	assert_int_equal(air.bell[READERS].rings, 8);

	assert_int_equal(write_attach(&air, 10), 0);
	air.bell[READERS].rings = 0;
	for (unsigned int i = 0; i < 25; i++)
		publish(&air, i, 1);
	assert_int_equal(air.bell[READERS].rings, 2);
	crossvm_broadcast_flush(&air.writer);
	crossvm_broadcast_flush(&air.writer);
	assert_int_equal(air.bell[READERS].rings, 3);
	air_free(&air);
}

static void also_over_a_restart_and_to_the_end(void **state)
{
	struct air air = {.bytes = 4096};

	(void)state;
	air.memory = memory_new(4096);
	/* Readers may come before the writer. */
	assert_int_equal(read_attach(&air, 0, false), 0);
	assert_int_equal(result(&air, 0), -CROSSVM_EAGAIN);
	assert_int_equal(write_attach(&air, 0), 0);
	assert_int_equal(result(&air, 0), -CROSSVM_EAGAIN);
	publish(&air, 0, 10);
	expect(&air, 0, 0, 10, 0);
	assert_int_equal(write_attach(&air, 0), 0);
	publish(&air, 1, 10);
	assert_int_equal(result(&air, 0), -CROSSVM_ECONNRESET);
	expect(&air, 0, 1, 10, 0);
	publish(&air, 2, 10);
	crossvm_broadcast_writer_detach(&air.writer);
	assert_false(crossvm_broadcast_idle(&air.reader[0]));
	expect(&air, 0, 2, 10, 0);
	assert_int_equal(result(&air, 0), -CROSSVM_ENODATA);
	assert_int_equal(result(&air, 0), -CROSSVM_ENODATA);
	/* Who comes now and wants no history waits for the next writer. */
	assert_int_equal(read_attach(&air, 1, false), 0);
	assert_int_equal(read_attach(&air, 2, true), 0);
	assert_int_equal(result(&air, 1), -CROSSVM_EAGAIN);
	for (uint64_t n = 0; n < 3; n++)
		expect(&air, 2, n, 10, 0);
	assert_int_equal(result(&air, 2), -CROSSVM_ENODATA);
	/* To it that one has come, to the others it has restarted. */
	assert_int_equal(write_attach(&air, 0), 0);
	publish(&air, 3, 10);
	expect(&air, 1, 3, 10, 0);
	assert_int_equal(result(&air, 2), -CROSSVM_ECONNRESET);
	expect(&air, 2, 3, 10, 0);
	air_free(&air);
}

static void of_at_most_half_the_ring(void **state)
{
	struct air air;
	struct crossvm_broadcast_info info;
	size_t max, size;
	uint64_t lost;
	uint8_t data[4096];

	(void)state;
	air_init(&air, 4096);
	max = crossvm_broadcast_max_message(&air.writer);
	assert_true(max > 1800);
	fill(data, sizeof(data), 0);
	assert_int_equal(crossvm_broadcast_send(&air.writer, data, max + 1), -CROSSVM_EMSGSIZE);
	for (uint64_t n = 0; n < 50; n++) {
		publish(&air, n, n % 8);
		expect(&air, 0, n, n % 8, 0);
		publish(&air, n, max - n % 16);
		expect(&air, 0, n, max - n % 16, 0);
	}
	assert_int_equal(crossvm_broadcast_inspect(air.memory, air.bytes, &info), 0);
	assert_int_equal(info.messages, 100);
	assert_int_equal(info.doorbells, 101);
	publish(&air, 7, 100);
	assert_int_equal(
		crossvm_broadcast_receive(&air.reader[0], data, 99, &size, &lost, CROSSVM_NOW),
		-CROSSVM_EMSGSIZE);
	assert_int_equal(size, 100);
	expect(&air, 0, 7, 100, 0);
	air_free(&air);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(if_they_keep_up),
		cmocka_unit_test(and_the_slow_ones_know_how_many_they_lost),
		cmocka_unit_test(though_only_the_writer_can_write),
		cmocka_unit_test(and_nothing_torn_is_accepted),
		cmocka_unit_test(from_the_oldest_or_the_next_as_they_like),
		cmocka_unit_test(with_as_few_doorbells_as_asked),
		cmocka_unit_test(also_over_a_restart_and_to_the_end),
		cmocka_unit_test(of_at_most_half_the_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
