/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/vfio_user/client.h"
#include "tests/server/dice.h"

static void a_header_with_an_impossible_size_ends_it(void **state)
{
	static const uint32_t sizes[] = {0, 15, WIRE_MESSAGE_BYTES + 1, 0x7fffffff, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct test_server *server = server_start_negotiated();
		const struct vfio_user_header header = {.command = VFIO_USER_DEVICE_RESET,
							.bytes = sizes[i]};

		client_send_raw(server, &header, sizeof(header), NULL, 0);
		assert_int_equal(server->result, -EPROTO);
		assert_int_equal(server->complaints, 1);
		server_end(server);
	}
}

static void a_reply_that_nobody_waits_for_ends_it(void **state)
{
	struct test_server *server = server_start_negotiated();

	(void)state;
	client_send(server, VFIO_USER_DEVICE_RESET, VFIO_USER_FLAGS_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(server->result, -EPROTO);
	server_end(server);
}

/* Every command with every payload size that is not its own. */
static void a_payload_of_the_wrong_size_is_refused(void **state)
{
	static const struct {
		uint16_t command;
		size_t bytes;
	} fixed[] = {{VFIO_USER_DMA_MAP, 32},
		     {VFIO_USER_DMA_UNMAP, 24},
		     {VFIO_USER_DEVICE_GET_REGION_INFO, 32},
		     {VFIO_USER_DEVICE_GET_REGION_IO_FDS, 16},
		     {VFIO_USER_DEVICE_GET_IRQ_INFO, 16},
		     {VFIO_USER_REGION_READ, 16},
		     {VFIO_USER_DEVICE_RESET, 0}};
	unsigned char payload[80] = {0};
	struct test_server *server = server_start_negotiated();

	(void)state;
	memset(payload, 0, sizeof(payload));
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		for (size_t bytes = 0; bytes < sizeof(payload); bytes++)
			if (bytes != fixed[i].bytes)
				client_expect(server, fixed[i].command, payload, bytes, EINVAL);
	assert_int_equal(server->resets, 0);
	server_end(server);
}

static void unknown_commands_and_flags_are_refused(void **state)
{
	struct test_server *server = server_start_negotiated();
	static const uint16_t unknown[] = {0, 11, 12, 14, 16, 17, 18, 100, 0xffff};
	struct test_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		client_expect(server, unknown[i], NULL, 0, ENOTSUP);
	client_send(server, VFIO_USER_DEVICE_RESET, 0x40, NULL, 0, NULL, 0);
	assert_true(client_receive(server, &reply));
	assert_int_equal(reply.header.error, EINVAL);
	client_send(server, VFIO_USER_DEVICE_RESET, VFIO_USER_FLAGS_ERROR, NULL, 0, NULL, 0);
	assert_true(client_receive(server, &reply));
	assert_int_equal(reply.header.error, EINVAL);
	assert_int_equal(server->resets, 0);
	server_end(server);
}

static void descriptors_where_none_belong_are_refused_and_closed(void **state)
{
	static const struct {
		uint16_t command;
		size_t bytes;
	} none[] = {{VFIO_USER_DMA_UNMAP, 24},
		    {VFIO_USER_DEVICE_GET_INFO, 16},
		    {VFIO_USER_DEVICE_GET_REGION_INFO, 32},
		    {VFIO_USER_REGION_READ, 16},
		    {VFIO_USER_DEVICE_RESET, 0}};
	const unsigned char payload[64] = {64};
	struct test_server *server = server_start_negotiated();
	const unsigned int before = open_fds();

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_int_equal(client_ask_with_fds(server, none[i].command, payload,
						     none[i].bytes, &server->memory_fd, 1)
					 .header.error,
				 EINVAL);
	assert_int_equal(open_fds(), before);
	server_end(server);
}

static void too_many_descriptors_end_it_and_are_closed(void **state)
{
	struct test_server *server = server_start_negotiated();
	const struct vfio_irq_set set = {.argsz = 20,
					 .flags = VFIO_IRQ_SET_DATA_EVENTFD |
						  VFIO_IRQ_SET_ACTION_TRIGGER,
					 .index = VFIO_PCI_MSI_IRQ_INDEX,
					 .count = 1};
	int fds[WIRE_MAX_FDS + 1];
	const unsigned int before = open_fds();

	(void)state;
	for (size_t i = 0; i < WIRE_MAX_FDS + 1; i++)
		fds[i] = server->memory_fd;
	client_send(server, VFIO_USER_DEVICE_SET_IRQS, 0, &set, sizeof(set), fds, WIRE_MAX_FDS + 1);
	assert_int_equal(server->result, -EPROTO);
	vfio_user_close(server->session, &server->device);
	assert_int_equal(open_fds(), before - 1);
	server_end(server);
}

static void dma_is_accepted_and_its_descriptors_are_closed(void **state)
{
	struct test_server *server = server_start_negotiated();
	const struct vfio_user_dma_map map = {
		.argsz = 32, .flags = 3, .address = 0x100000, .bytes = 1ull << 40};
	const struct vfio_user_dma_unmap unmap = {.argsz = 24, .address = 0x100000, .bytes = 4096};
	const unsigned int before = open_fds();
	struct test_reply reply;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(client_ask_with_fds(server, VFIO_USER_DMA_MAP, &map, sizeof(map),
						     &server->memory_fd, 1)
					 .header.error,
				 0);
		client_expect(server, VFIO_USER_DMA_MAP, &map, sizeof(map), 0);
	}
	reply = client_ask(server, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap));
	assert_int_equal(reply.payload_bytes, sizeof(unmap));
	assert_memory_equal(reply.payload, &unmap, sizeof(unmap));
	assert_int_equal(open_fds(), before);
	assert_int_equal(server->complaints, 0);
	server_end(server);
}

/* Whatever it says, the server neither crashes, nor hangs, nor keeps a descriptor. */
static void noise_is_survived(void **state)
{
	unsigned char message[600];
	uint64_t dice = 3;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct test_server *server = round & 1 ? server_start() : server_start_negotiated();
		const unsigned int before = open_fds();
		const uint32_t count = 1 + dice_roll(&dice, 8);

		for (uint32_t i = 0; i < count && server->result == 0; i++) {
			const uint32_t bytes = 16 + dice_roll(&dice, 100);
			struct vfio_user_header header = {
				.id = 1, .command = (uint16_t)dice_roll(&dice, 18), .bytes = bytes};

			for (size_t j = 0; j < sizeof(message); j++)
				message[j] = (unsigned char)(dice_roll(&dice, 3)
								     ? 0
								     : dice_roll(&dice, 256));
			memcpy(message, &header, sizeof(header));
			client_send_raw(server, message, dice_roll(&dice, 20) ? bytes : bytes / 2,
					&server->memory_fd, dice_roll(&dice, 4) == 0);
			while (client_receive(server, &(struct test_reply){0}))
				;
		}
		vfio_user_close(server->session, &server->device);
		assert_in_range(open_fds(), before - 1, before - 1);
		server_end(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_with_an_impossible_size_ends_it),
		cmocka_unit_test(a_reply_that_nobody_waits_for_ends_it),
		cmocka_unit_test(a_payload_of_the_wrong_size_is_refused),
		cmocka_unit_test(unknown_commands_and_flags_are_refused),
		cmocka_unit_test(descriptors_where_none_belong_are_refused_and_closed),
		cmocka_unit_test(too_many_descriptors_end_it_and_are_closed),
		cmocka_unit_test(dma_is_accepted_and_its_descriptors_are_closed),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
