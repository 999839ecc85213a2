/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "tests/vfio_user/client.h"

static uint32_t read_error(struct test_server *server, uint32_t region, uint64_t offset,
			   uint32_t count)
{
	const struct vfio_user_access access = {.offset = offset, .region = region, .count = count};

	return client_ask(server, VFIO_USER_REGION_READ, &access, sizeof(access)).header.error;
}

/* A read that is answered in full: bytes of the region, then all ones. */
static void expect_read(struct test_server *server, uint32_t region, uint64_t offset,
			uint32_t count, uint32_t inside)
{
	const struct vfio_user_access access = {.offset = offset, .region = region, .count = count};
	struct test_reply reply =
		client_ask(server, VFIO_USER_REGION_READ, &access, sizeof(access));
	const unsigned char *data = reply.payload + sizeof(access);

	assert_int_equal(reply.header.error, 0);
	assert_int_equal(reply.payload_bytes, sizeof(access) + count);
	assert_memory_equal(reply.payload, &access, sizeof(access));
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(data[i], i < inside ? 0x77 : 0xff);
}

static void what_was_written_is_read(void **state)
{
	struct test_server *server = server_start_negotiated();
	const struct vfio_user_access access = {.offset = 8, .region = 0, .count = 6};
	struct test_reply reply;

	(void)state;
	client_write(server, 0, 8, "abcdef", 6);
	assert_false(client_receive(server, &reply));
	reply = client_ask(server, VFIO_USER_REGION_READ, &access, sizeof(access));
	assert_memory_equal(reply.payload + sizeof(access), "abcdef", 6);
	server_end(server);
}

static void a_write_that_wants_an_answer_gets_one(void **state)
{
	struct test_server *server = server_start_negotiated();
	unsigned char payload[20] = {0};
	const struct vfio_user_access access = {.offset = 0, .region = 0, .count = 4};
	struct test_reply reply;

	(void)state;
	memcpy(payload, &access, sizeof(access));
	reply = client_ask(server, VFIO_USER_REGION_WRITE, payload, sizeof(payload));
	assert_int_equal(reply.header.error, 0);
	assert_int_equal(reply.payload_bytes, sizeof(access));
	assert_int_equal(*server->writes, 1);
	server_end(server);
}

/* A guest can read there, so a client must get what it waits for. */
static void reading_outside_gives_all_ones(void **state)
{
	struct test_server *server = server_start_negotiated();

	(void)state;
	memset(server->bar, 0x77, TEST_BAR_BYTES);
	expect_read(server, 0, TEST_BAR_BYTES - 4, 4, 4);
	expect_read(server, 0, 0, TEST_BAR_BYTES, TEST_BAR_BYTES);
	expect_read(server, 0, TEST_BAR_BYTES, 0, 0);
	expect_read(server, 0, TEST_BAR_BYTES - 3, 4, 3);
	expect_read(server, 0, TEST_BAR_BYTES - 8, TEST_BAR_BYTES, 8);
	expect_read(server, 0, TEST_BAR_BYTES, 1, 0);
	expect_read(server, 0, UINT64_MAX, 1, 0);
	expect_read(server, 0, UINT64_MAX - 2, 8, 0);
	/* Extended config space, whose first word says so to a guest. */
	expect_read(server, VFIO_PCI_CONFIG_REGION_INDEX, 256, 4, 0);
	expect_read(server, VFIO_PCI_CONFIG_REGION_INDEX, 4092, 4, 0);
	/* Regions that the device does not have. */
	expect_read(server, 1, 0, 1, 0);
	expect_read(server, VFIO_PCI_ROM_REGION_INDEX, 0, 4, 0);
	expect_read(server, VFIO_PCI_VGA_REGION_INDEX, 0xa0000, 4, 0);
	/* A guest must not be able to fill a log. */
	assert_int_equal(server->complaints, 0);
	server_end(server);
}

static void a_region_that_cannot_be_read_gives_all_ones(void **state)
{
	struct test_server *server = server_start_negotiated();

	(void)state;
	server->device.regions[0].readable = false;
	expect_read(server, 0, 0, 8, 0);
	server_end(server);
}

static void reading_what_cannot_be_meant_is_refused(void **state)
{
	struct test_server *server = server_start_negotiated();

	(void)state;
	assert_int_equal(read_error(server, VFIO_PCI_NUM_REGIONS, 0, 1), EINVAL);
	assert_int_equal(read_error(server, UINT32_MAX, 0, 1), EINVAL);
	assert_int_equal(read_error(server, 2, 0, VFIO_USER_MAX_TRANSFER_BYTES + 1), EINVAL);
	assert_int_equal(read_error(server, 2, 0, UINT32_MAX), EINVAL);
	assert_int_equal(server->complaints, 4);
	server_end(server);
}

static const struct {
	uint32_t region, count;
	uint64_t offset;
	bool refused;
} outside[] = {
	{0, 4, TEST_BAR_BYTES, false},
	{0, 4, UINT64_MAX - 1, false},
	{VFIO_PCI_CONFIG_REGION_INDEX, 4, 256, false},
	{1, 1, 0, false},
	{VFIO_PCI_ROM_REGION_INDEX, 4, 0, false},
	{VFIO_PCI_NUM_REGIONS, 1, 0, true},
};

#define OUTSIDE (sizeof(outside) / sizeof(*outside))

static void writing_outside_does_nothing(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct test_reply reply;

	(void)state;
	for (size_t i = 0; i < OUTSIDE; i++) {
		client_write(server, outside[i].region, outside[i].offset, "abcd",
			     outside[i].count);
		assert_int_equal(server->result, 0);
		assert_false(client_receive(server, &reply));
	}
	assert_int_equal(*server->writes, 0);
	server_end(server);
}

static void writing_outside_is_answered_like_any_write(void **state)
{
	struct test_server *server = server_start_negotiated();

	(void)state;
	for (size_t i = 0; i < OUTSIDE; i++) {
		unsigned char payload[20] = {0};
		const struct vfio_user_access access = {.offset = outside[i].offset,
							.region = outside[i].region,
							.count = outside[i].count};
		struct test_reply reply;

		memcpy(payload, &access, sizeof(access));
		reply = client_ask(server, VFIO_USER_REGION_WRITE, payload,
				   sizeof(access) + access.count);
		assert_int_equal(reply.header.error, outside[i].refused ? EINVAL : 0);
		if (!outside[i].refused)
			assert_memory_equal(reply.payload, &access, sizeof(access));
	}
	assert_int_equal(*server->writes, 0);
	assert_int_equal(server->complaints, 1);
	server_end(server);
}

static void a_write_over_the_end_writes_what_is_inside(void **state)
{
	struct test_server *server = server_start_negotiated();

	(void)state;
	client_write(server, 0, TEST_BAR_BYTES - 3, "abcdefgh", 8);
	assert_int_equal(*server->writes, 1);
	assert_memory_equal(server->bar + TEST_BAR_BYTES - 3, "abc", 3);
	server_end(server);
}

/* One write outside does not keep those behind it in the message from being done. */
static void many_writes_go_on_behind_one_outside(void **state)
{
	struct test_server *server = server_start_negotiated();
	unsigned char payload[8 + 3 * sizeof(struct vfio_user_multi_write)];
	const uint64_t count = 3;
	struct test_reply reply;

	(void)state;
	memcpy(payload, &count, sizeof(count));
	for (uint64_t i = 0; i < count; i++) {
		const struct vfio_user_multi_write write = {
			.access = {.offset = i == 1 ? TEST_BAR_BYTES : i * 4, .count = 4},
			.data = {1, 1, 1, 1}};

		memcpy(payload + 8 + i * sizeof(write), &write, sizeof(write));
	}
	reply = client_ask(server, VFIO_USER_REGION_WRITE_MULTI, payload, sizeof(payload));
	assert_int_equal(reply.header.error, 0);
	assert_memory_equal(reply.payload, &count, sizeof(count));
	assert_int_equal(*server->writes, 2);
	assert_int_equal(server->bar[8], 1);
	server_end(server);
}

static void a_region_that_cannot_be_written_ignores_writes(void **state)
{
	struct test_server *server = server_start_negotiated();
	unsigned char payload[20] = {0};
	const struct vfio_user_access access = {.offset = 0, .region = 2, .count = 4};

	(void)state;
	memcpy(payload, &access, sizeof(access));
	assert_int_equal(
		client_ask(server, VFIO_USER_REGION_WRITE, payload, sizeof(payload)).header.error,
		0);
	assert_int_equal(*server->writes, 0);
	server_end(server);
}

static void a_count_that_is_not_the_message_s_is_refused(void **state)
{
	struct test_server *server = server_start_negotiated();
	unsigned char payload[20] = {0};

	(void)state;
	for (uint32_t count = 0; count < 9; count++) {
		const struct vfio_user_access access = {.offset = 0, .region = 0, .count = count};

		memcpy(payload, &access, sizeof(access));
		assert_int_equal(
			client_ask(server, VFIO_USER_REGION_WRITE, payload, 20).header.error,
			count == 4 ? 0 : EINVAL);
	}
	assert_int_equal(*server->writes, 1);
	server_end(server);
}

static size_t multi(unsigned char *payload, uint64_t count, uint32_t bytes_each, unsigned int real)
{
	memcpy(payload, &count, sizeof(count));
	for (unsigned int i = 0; i < real; i++) {
		struct vfio_user_multi_write write = {
			.access = {.offset = (uint64_t)i * 8, .region = 0, .count = bytes_each}};

		memset(write.data, (int)i + 1, sizeof(write.data));
		memcpy(payload + 8 + i * sizeof(write), &write, sizeof(write));
	}
	return 8 + real * sizeof(struct vfio_user_multi_write);
}

static void many_writes_in_one_message_are_all_done(void **state)
{
	struct test_server *server = server_start_negotiated();
	unsigned char payload[4808];
	struct test_reply reply;
	const uint64_t id = server->session->wire.progress;

	(void)state;
	client_send(server, VFIO_USER_REGION_WRITE_MULTI, VFIO_USER_FLAGS_NO_REPLY, payload,
		    multi(payload, 200, 4, 200), NULL, 0);
	assert_false(client_receive(server, &reply));
	assert_int_equal(*server->writes, 200);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(server->bar[i * 8 + 3], (i + 1) & 0xff);
	assert_true(server->session->wire.progress > id);
	server_end(server);
}

static void many_writes_that_do_not_add_up_are_refused(void **state)
{
	struct test_server *server = server_start_negotiated();
	unsigned char payload[4808];

	(void)state;
	multi(payload, 3, 4, 2);
	client_expect(server, VFIO_USER_REGION_WRITE_MULTI, payload, 8 + 48, EINVAL);
	multi(payload, UINT64_MAX, 4, 2);
	client_expect(server, VFIO_USER_REGION_WRITE_MULTI, payload, 8 + 48, EINVAL);
	multi(payload, 2, 4, 2);
	client_expect(server, VFIO_USER_REGION_WRITE_MULTI, payload, 8 + 47, EINVAL);
	multi(payload, 2, 9, 2);
	client_expect(server, VFIO_USER_REGION_WRITE_MULTI, payload, 8 + 48, EINVAL);
	assert_int_equal(*server->writes, 0);
	server_end(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_write_that_wants_an_answer_gets_one),
		cmocka_unit_test(reading_outside_gives_all_ones),
		cmocka_unit_test(a_region_that_cannot_be_read_gives_all_ones),
		cmocka_unit_test(reading_what_cannot_be_meant_is_refused),
		cmocka_unit_test(writing_outside_does_nothing),
		cmocka_unit_test(writing_outside_is_answered_like_any_write),
		cmocka_unit_test(a_write_over_the_end_writes_what_is_inside),
		cmocka_unit_test(many_writes_go_on_behind_one_outside),
		cmocka_unit_test(a_region_that_cannot_be_written_ignores_writes),
		cmocka_unit_test(a_count_that_is_not_the_message_s_is_refused),
		cmocka_unit_test(many_writes_in_one_message_are_all_done),
		cmocka_unit_test(many_writes_that_do_not_add_up_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
