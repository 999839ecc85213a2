/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "tests/vfio_user/client.h"

/* What QEMU 11.1 sends. */
static const char qemu[] =
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"pgsizes\":4096,"
	"\"max_dma_maps\":65535,\"migration\":{\"pgsize\":4096,\"max_bitmap_size\":268435456},"
	"\"write_multiple\":true}}";

static struct test_reply ask(struct test_server *server, uint16_t major, uint16_t minor,
			     const char *text, size_t bytes)
{
	unsigned char payload[4096];
	const struct vfio_user_version version = {.major = major, .minor = minor};

	memcpy(payload, &version, sizeof(version));
	memcpy(payload + sizeof(version), text, bytes);
	return client_ask(server, VFIO_USER_VERSION, payload, sizeof(version) + bytes);
}

static void what_qemu_sends_is_answered_with_ours(void **state)
{
	struct test_server *server = server_start();
	struct test_reply reply = ask(server, 0, 1, qemu, sizeof(qemu));
	json_t *root, *capabilities;

	(void)state;
	assert_int_equal(reply.header.error, 0);
	assert_int_equal(reply.payload[reply.payload_bytes - 1], 0);
	root = json_loads((const char *)reply.payload + 4, 0, NULL);
	capabilities = json_object_get(root, "capabilities");
	assert_int_equal(json_integer_value(json_object_get(capabilities, "max_msg_fds")),
			 WIRE_MAX_FDS);
	assert_int_equal(json_integer_value(json_object_get(capabilities, "max_data_xfer_size")),
			 VFIO_USER_MAX_TRANSFER_BYTES);
	assert_true(json_is_true(json_object_get(capabilities, "write_multiple")));
	json_decref(root);
	assert_true(server->attached);
	server_end(server);
}

static void no_capability_is_offered_that_was_not_asked_for(void **state)
{
	struct test_server *server = server_start();
	struct test_reply reply = ask(server, 0, 0, "{}", 3);

	(void)state;
	assert_int_equal(reply.header.error, 0);
	assert_null(strstr((const char *)reply.payload + 4, "write_multiple"));
	server_end(server);
}

static void another_major_version_is_refused(void **state)
{
	struct test_server *server = server_start();

	(void)state;
	assert_int_equal(ask(server, 1, 0, "{}", 3).header.error, ENOTSUP);
	assert_false(server->attached);
	server_end(server);
}

static void what_is_not_capabilities_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"1",
		"{\"capabilities\":[]}",
		"{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
		"{\"capabilities\":{\"write_multiple\":1}}",
		"{\"capabilities\":{},\"capabilities\":{}}",
		"{\"capabilities\":{\"pgsizes\":99999999999999999999999999}}",
		"\xff\xfe{}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct test_server *server = server_start();

		assert_int_equal(ask(server, 0, 0, texts[i], strlen(texts[i]) + 1).header.error,
				 EINVAL);
		assert_false(server->attached);
		server_end(server);
	}
}

static void text_without_its_end_is_refused(void **state)
{
	struct test_server *server = server_start();

	(void)state;
	assert_int_equal(ask(server, 0, 0, "{}", 2).header.error, EINVAL);
	server_end(server);
}

static void before_it_nothing_else_is_served(void **state)
{
	(void)state;
	for (uint16_t command = 0; command < 20; command++) {
		struct test_server *server = server_start();
		const unsigned char payload[32] = {32};

		if (command != VFIO_USER_VERSION) {
			client_send(server, command, 0, payload, sizeof(payload), NULL, 0);
			assert_int_equal(server->result, -EPROTO);
			assert_int_equal(server->complaints, 1);
		}
		server_end(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_sends_is_answered_with_ours),
		cmocka_unit_test(no_capability_is_offered_that_was_not_asked_for),
		cmocka_unit_test(another_major_version_is_refused),
		cmocka_unit_test(what_is_not_capabilities_is_refused),
		cmocka_unit_test(text_without_its_end_is_refused),
		cmocka_unit_test(before_it_nothing_else_is_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
