/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer dies before its k-th store, for every k, and comes back. Readers see every message
 * once, in order, whole; those that were too slow, see the number of what they lost.
 */
#include "tests/channel/fixture.h"
#include "tests/channel/step.h"

#define MESSAGES 40

static unsigned int steps_left; /* 0: live for ever */
static jmp_buf death;

void step(void)
{
	if (steps_left && !--steps_left)
		longjmp(death, 1);
}

struct air {
	void *memory;
	struct bell bell;
	struct crossvm_broadcast_writer writer;
	struct crossvm_broadcast_reader quick, slow;
	uint64_t seen_quick, seen_slow, lost_slow;
	unsigned int kills;
};

static size_t size_of(uint64_t n)
{
	return n % 5 == 1 ? 500 + n * 7 : n * 11 % 120;
}

static void writer_comes(struct air *air)
{
	struct crossvm_port port = {.memory = air->memory,
				    .bytes = 4096,
				    .ring = bell_ring,
				    .wait = bell_wait,
				    .ctx = &air->bell};
	struct crossvm_broadcast_config config = {0};

	assert_int_equal(crossvm_broadcast_writer_attach(&air->writer, &port, &config), 0);
}

static void reader_comes(struct air *air, struct crossvm_broadcast_reader *reader)
{
	struct crossvm_port port = {
		.memory = air->memory, .bytes = 4096, .wait = bell_wait, .ctx = &air->bell};
	struct crossvm_reader_config config = {0};

	assert_int_equal(crossvm_broadcast_reader_attach(reader, &port, &config), 0);
}

static void reads(struct crossvm_broadcast_reader *reader, uint64_t *seen, uint64_t *all_lost)
{
	uint8_t data[2048];
	size_t size;
	uint64_t lost;

	for (;;) {
		int rc = crossvm_broadcast_receive(reader, data, sizeof(data), &size, &lost,
						   CROSSVM_NOW);

		if (rc == -CROSSVM_ECONNRESET)
			continue;
		if (rc == -CROSSVM_EAGAIN)
			return;
		assert_int_equal(rc, 0);
		*all_lost += lost;
		*seen += lost;
		assert_int_equal(size, size_of(*seen));
		assert_true(filled(data, size, *seen));
		++*seen;
	}
}

static void writes(struct air *air)
{
	uint8_t data[2048];

	while (air->writer.messages < MESSAGES) {
		uint64_t n = air->writer.messages;
		uint64_t none = 0;

		fill(data, size_of(n), n);
		assert_int_equal(crossvm_broadcast_send(&air->writer, data, size_of(n)), 0);
		reads(&air->quick, &air->seen_quick, &none);
		assert_int_equal(none, 0);
	}
}

/* Returns the number of deaths. */
static unsigned int live(unsigned int k)
{
	static struct air air;
	uint64_t none = 0;

	memset(&air, 0, sizeof(air));
	air.memory = memory_new(4096);
	writer_comes(&air);
	reader_comes(&air, &air.quick);
	reader_comes(&air, &air.slow);
	/* Both see one message, so that they know where they are. */
	assert_int_equal(crossvm_broadcast_send(&air.writer, NULL, 0), 0);
	reads(&air.quick, &air.seen_quick, &none);
	reads(&air.slow, &air.seen_slow, &air.lost_slow);
	steps_left = k;
	while (setjmp(death)) {
		air.kills++;
		reads(&air.quick, &air.seen_quick, &none);
		/* What the dead writer had claimed is lost for a slow reader, too. */
		if (k % 3)
			reads(&air.slow, &air.seen_slow, &air.lost_slow);
		writer_comes(&air);
	}
	writes(&air);
	steps_left = 0;
	reads(&air.quick, &air.seen_quick, &none);
	reads(&air.slow, &air.seen_slow, &air.lost_slow);
	assert_int_equal(none, 0);
	assert_int_equal(air.seen_quick, MESSAGES);
	assert_int_equal(air.seen_slow, MESSAGES);
	assert_true(air.lost_slow > 0);
	memory_free(air.memory, 4096);
	return air.kills;
}

static void at_every_store(void **state)
{
	unsigned int k = 1;

	(void)state;
	while (live(k))
		k++;
	assert_true(k > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_every_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
