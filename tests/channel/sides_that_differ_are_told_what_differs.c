/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "tests/channel/fixture.h"

static int attach(struct pair *pair, unsigned int member, uint64_t bytes, uint64_t first_ring_bytes,
		  unsigned int flags)
{
	struct crossvm_port port = pair_port(pair, member);
	struct crossvm_queue_config config = {
		.member = member, .flags = flags, .first_ring_bytes = first_ring_bytes};

	port.bytes = bytes;
	return crossvm_queue_attach(&pair->queue[member], &port, &config);
}

static void assert_complaint(const struct pair *pair, unsigned int member,
			     enum crossvm_complaint_kind kind, uint64_t ours, uint64_t theirs)
{
	struct crossvm_complaint complaint = crossvm_queue_complaint(&pair->queue[member]);

	assert_int_equal(complaint.kind, kind);
	assert_int_equal(complaint.ours, ours);
	assert_int_equal(complaint.theirs, theirs);
	assert_true(strlen(crossvm_complaint_text(complaint.kind)) > 10);
}

static void when_the_second_attaches(void **state)
{
	struct pair pair = {.bytes = 65536};

	(void)state;
	pair.memory = memory_new(pair.bytes);
	pair.shared = pair.memory;
	assert_int_equal(attach(&pair, 0, 65536, 4096, 0), 0);
	assert_int_equal(attach(&pair, 1, 65536, 8192, 0), -CROSSVM_EPROTO);
	assert_complaint(&pair, 1, CROSSVM_BAD_RING_BYTES, 8192, 4096);
	assert_int_equal(attach(&pair, 1, 32768, 4096, 0), -CROSSVM_EPROTO);
	assert_complaint(&pair, 1, CROSSVM_BAD_REGION_BYTES, 32768, 65536);
	assert_int_equal(attach(&pair, 1, 65536, 4096, CROSSVM_QUEUE_POLLING), -CROSSVM_EPROTO);
	assert_complaint(&pair, 1, CROSSVM_BAD_FLAGS, 1, 0);
	pair.shared->member[0].hello.version = 7;
	assert_int_equal(attach(&pair, 1, 65536, 4096, 0), -CROSSVM_EPROTO);
	assert_complaint(&pair, 1, CROSSVM_BAD_VERSION, 1, 7);
	pair.shared->member[0].hello.version = 1;
	assert_int_equal(attach(&pair, 1, 65536, 4096, 0), 0);
	pair_free(&pair);
}

/* A member that failed to attach has changed nothing. */
static void without_disturbing_the_first(void **state)
{
	struct pair pair = {.bytes = 65536};
	uint8_t *before = malloc(65536);

	(void)state;
	pair.memory = memory_new(pair.bytes);
	assert_int_equal(attach(&pair, 0, 65536, 4096, 0), 0);
	memcpy(before, pair.memory, 65536);
	assert_int_equal(attach(&pair, 1, 65536, 8192, 0), -CROSSVM_EPROTO);
	assert_memory_equal(before, pair.memory, 65536);
	free(before);
	pair_free(&pair);
}

/* Both attached at the same instant, so that neither saw the other. */
static void when_they_first_talk(void **state)
{
	struct pair pair = {.bytes = 65536};
	struct crossvm_abi_member hidden;
	struct crossvm_message message;

	(void)state;
	pair.memory = memory_new(pair.bytes);
	pair.shared = pair.memory;
	assert_int_equal(attach(&pair, 0, 65536, 4096, 0), 0);
	hidden = pair.shared->member[0];
	memset(&pair.shared->member[0], 0, sizeof(hidden));
	assert_int_equal(attach(&pair, 1, 65536, 8192, 0), 0);
	pair.shared->member[0] = hidden;
	assert_int_equal(crossvm_queue_send(&pair.queue[1], "x", 1, CROSSVM_NOW), -CROSSVM_EPROTO);
	assert_complaint(&pair, 1, CROSSVM_BAD_RING_BYTES, 8192, 4096);
	assert_int_equal(crossvm_queue_peek(&pair.queue[1], &message, CROSSVM_NOW),
			 -CROSSVM_EPROTO);
	assert_int_equal(crossvm_queue_peek(&pair.queue[0], &message, CROSSVM_NOW),
			 -CROSSVM_EPROTO);
	assert_complaint(&pair, 0, CROSSVM_BAD_RING_BYTES, 4096, 8192);
	pair_free(&pair);
}

static void when_one_comes_back_as_another(void **state)
{
	struct pair pair = {.bytes = 65536};

	(void)state;
	pair.memory = memory_new(pair.bytes);
	assert_int_equal(attach(&pair, 0, 65536, 4096, 0), 0);
	assert_int_equal(attach(&pair, 0, 65536, 0, 0), -CROSSVM_EPROTO);
	assert_int_equal(crossvm_queue_complaint(&pair.queue[0]).kind, CROSSVM_BAD_RING_BYTES);
	assert_int_equal(attach(&pair, 0, 65536, 4096, 0), 0);
	pair_free(&pair);
}

static void when_the_dataport_is_something_else(void **state)
{
	struct pair pair = {.bytes = 8192};
	struct crossvm_port port;
	struct crossvm_queue_info info;

	(void)state;
	pair.memory = memory_new(pair.bytes);
	port = pair_port(&pair, 0);
	assert_int_equal(crossvm_queue_inspect(pair.memory, pair.bytes, &info), -CROSSVM_ENODATA);
	memset(pair.memory, 'a', 8192);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(attach(&pair, i, 8192, 0, 0), -CROSSVM_EPROTO);
		assert_complaint(&pair, i, CROSSVM_BAD_MAGIC, CROSSVM_QUEUE_MAGIC,
				 0x6161616161616161);
	}
	assert_int_equal(crossvm_queue_inspect(pair.memory, pair.bytes, &info), -CROSSVM_ENODATA);
	assert_int_equal(crossvm_queue_format(&port), 0);
	assert_int_equal(attach(&pair, 0, 8192, 0, 0), 0);
	assert_int_equal(attach(&pair, 1, 8192, 0, 0), 0);
	pair_free(&pair);
}

static void and_nonsense_is_refused(void **state)
{
	struct pair pair = {.bytes = 8192};
	struct crossvm_queue queue;
	struct crossvm_queue_config config = {0};
	struct crossvm_port port;
	const uint64_t room = (8192 - sizeof(struct crossvm_abi_queue)) / 64 * 64;
	const uint64_t bad_rings[] = {1, 63, 65, room, room + 64, UINT64_MAX, UINT64_MAX - 63};

	(void)state;
	pair.memory = memory_new(pair.bytes);
	for (size_t i = 0; i < sizeof(bad_rings) / sizeof(bad_rings[0]); i++)
		assert_int_equal(attach(&pair, 0, 8192, bad_rings[i], 0), -CROSSVM_EINVAL);
	assert_int_equal(attach(&pair, 0, 4095, 0, 0), -CROSSVM_EINVAL);
	assert_int_equal(attach(&pair, 0, UINT64_MAX, 0, 0), -CROSSVM_EINVAL);
	assert_int_equal(attach(&pair, 0, 8192, 0, 2), -CROSSVM_EINVAL);
	port = pair_port(&pair, 0);
	config.member = 2;
	assert_int_equal(crossvm_queue_attach(&queue, &port, &config), -CROSSVM_EINVAL);
	config.member = 0;
	port.memory = (uint8_t *)pair.memory + 8;
	assert_int_equal(crossvm_queue_attach(&queue, &port, &config), -CROSSVM_EINVAL);
	port.memory = NULL;
	assert_int_equal(crossvm_queue_attach(&queue, &port, &config), -CROSSVM_EINVAL);
	assert_int_equal(crossvm_queue_format(&port), -CROSSVM_EINVAL);
	crossvm_queue_detach(&queue);
	pair_free(&pair);
}

static void and_results_are_linux_errno_values(void **state)
{
	(void)state;
	assert_int_equal(CROSSVM_EAGAIN, EAGAIN);
	assert_int_equal(CROSSVM_EINVAL, EINVAL);
	assert_int_equal(CROSSVM_EPIPE, EPIPE);
	assert_int_equal(CROSSVM_ENODATA, ENODATA);
	assert_int_equal(CROSSVM_EPROTO, EPROTO);
	assert_int_equal(CROSSVM_EMSGSIZE, EMSGSIZE);
	assert_int_equal(CROSSVM_ECONNRESET, ECONNRESET);
	assert_int_equal(CROSSVM_ESHUTDOWN, ESHUTDOWN);
	assert_int_equal(CROSSVM_ETIMEDOUT, ETIMEDOUT);
	assert_int_equal(CROSSVM_ESTALE, ESTALE);
}

static void and_every_complaint_has_its_sentence(void **state)
{
	(void)state;
	for (int i = 0; i < CROSSVM_COMPLAINT_KINDS; i++) {
		for (int j = 0; j <= CROSSVM_COMPLAINT_KINDS; j++) {
			int same = strcmp(crossvm_complaint_text((enum crossvm_complaint_kind)i),
					  crossvm_complaint_text((enum crossvm_complaint_kind)j));

			assert_true(same != 0 || i == j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_the_second_attaches),
		cmocka_unit_test(without_disturbing_the_first),
		cmocka_unit_test(when_they_first_talk),
		cmocka_unit_test(when_one_comes_back_as_another),
		cmocka_unit_test(when_the_dataport_is_something_else),
		cmocka_unit_test(and_nonsense_is_refused),
		cmocka_unit_test(and_results_are_linux_errno_values),
		cmocka_unit_test(and_every_complaint_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
