/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/vfio_user/client.h"

static struct test_reply ask(struct test_server *server, uint32_t index, uint32_t argsz)
{
	const struct vfio_region_info info = {.argsz = argsz, .index = index};

	return client_ask(server, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info));
}

static void the_device_is_pci_and_can_be_reset(void **state)
{
	struct test_server *server = server_start_negotiated();
	const uint32_t payload[4] = {16};
	struct test_reply reply =
		client_ask(server, VFIO_USER_DEVICE_GET_INFO, payload, sizeof(payload));
	uint32_t info[4];

	(void)state;
	assert_int_equal(reply.payload_bytes, sizeof(info));
	memcpy(info, reply.payload, sizeof(info));
	assert_int_equal(info[0], sizeof(info));
	assert_int_equal(info[1], VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(info[2], VFIO_PCI_NUM_REGIONS);
	assert_int_equal(info[3], VFIO_PCI_MSIX_IRQ_INDEX + 1);
	server_end(server);
}

static void a_trapped_region_has_neither_capability_nor_descriptor(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct test_reply reply = ask(server, VFIO_PCI_BAR0_REGION_INDEX, 1000);
	struct vfio_region_info info;

	(void)state;
	assert_int_equal(reply.payload_bytes, sizeof(info));
	memcpy(&info, reply.payload, sizeof(info));
	assert_int_equal(info.argsz, sizeof(info));
	assert_int_equal(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	assert_int_equal(info.size, TEST_BAR_BYTES);
	assert_int_equal(info.cap_offset, 0);
	assert_int_equal(reply.fd, -1);
	server_end(server);
}

static void a_region_that_is_not_there_has_no_size(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct test_reply reply = ask(server, VFIO_PCI_ROM_REGION_INDEX, 32);
	struct vfio_region_info info;

	(void)state;
	memcpy(&info, reply.payload, sizeof(info));
	assert_int_equal(info.size, 0);
	assert_int_equal(info.flags, 0);
	server_end(server);
}

/* Its first question has room for no capability; if the answer has not all of this, it gives up. */
static void the_short_answer_says_what_a_longer_one_would_have(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct test_reply reply = ask(server, VFIO_PCI_BAR2_REGION_INDEX, 32);
	struct vfio_region_info info;

	(void)state;
	assert_int_equal(reply.payload_bytes, sizeof(info));
	memcpy(&info, reply.payload, sizeof(info));
	assert_int_equal(info.argsz, 64);
	assert_int_equal(info.cap_offset, 32);
	assert_true(info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_true(info.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(reply.fd, -1);
	server_end(server);
}

static void the_long_answer_brings_area_and_descriptor(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct test_reply reply = ask(server, VFIO_PCI_BAR2_REGION_INDEX, 64);
	struct vfio_region_info info;
	struct vfio_region_info_cap_sparse_mmap sparse;
	struct vfio_region_sparse_mmap_area area;
	struct stat status;

	(void)state;
	assert_int_equal(reply.payload_bytes, 64);
	memcpy(&info, reply.payload, 32);
	memcpy(&sparse, reply.payload + 32, 16);
	memcpy(&area, reply.payload + 48, 16);
	assert_int_equal(info.size, TEST_REGION_BYTES);
	assert_false(info.flags & VFIO_REGION_INFO_FLAG_WRITE);
	assert_int_equal(sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(sparse.header.version, 1);
	assert_int_equal(sparse.header.next, 0);
	assert_int_equal(sparse.nr_areas, 1);
	assert_int_equal(area.offset, 0);
	assert_int_equal(area.size, TEST_MEMORY_BYTES);
	assert_true(reply.fd >= 0);
	assert_int_equal(fstat(reply.fd, &status), 0);
	assert_int_equal(status.st_size, TEST_MEMORY_BYTES);
	close(reply.fd);
	server_end(server);
}

static void questions_out_of_range_are_refused(void **state)
{
	struct test_server *server = server_start_negotiated();
	const struct vfio_user_io_fds io_fds = {.argsz = 16, .index = VFIO_PCI_NUM_REGIONS};

	(void)state;
	assert_int_equal(ask(server, VFIO_PCI_NUM_REGIONS, 64).header.error, EINVAL);
	assert_int_equal(ask(server, UINT32_MAX, 64).header.error, EINVAL);
	assert_int_equal(ask(server, 0, 31).header.error, EINVAL);
	client_expect(server, VFIO_USER_DEVICE_GET_REGION_IO_FDS, &io_fds, sizeof(io_fds), EINVAL);
	server_end(server);
}

static void no_region_is_accessed_through_descriptors(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct vfio_user_io_fds io_fds = {.argsz = 16, .index = 0};
	struct test_reply reply =
		client_ask(server, VFIO_USER_DEVICE_GET_REGION_IO_FDS, &io_fds, sizeof(io_fds));

	(void)state;
	assert_int_equal(reply.header.error, 0);
	memcpy(&io_fds, reply.payload, sizeof(io_fds));
	assert_int_equal(io_fds.count, 0);
	assert_int_equal(reply.fd, -1);
	server_end(server);
}

static void interrupts_are_one_intx_and_one_msi(void **state)
{
	static const struct {
		uint32_t index, count, flags, error;
	} expected[] = {
		{VFIO_PCI_INTX_IRQ_INDEX, 1,
		 VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED, 0},
		{VFIO_PCI_MSI_IRQ_INDEX, 1, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE, 0},
		{VFIO_PCI_MSIX_IRQ_INDEX, 0, 0, 0},
		{VFIO_PCI_ERR_IRQ_INDEX, 0, 0, EINVAL},
		{VFIO_PCI_NUM_IRQS, 0, 0, EINVAL},
	};
	struct test_server *server = server_start_negotiated();

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		struct vfio_irq_info info = {.argsz = 16, .index = expected[i].index};
		struct test_reply reply =
			client_ask(server, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, 16);

		assert_int_equal(reply.header.error, expected[i].error);
		if (expected[i].error)
			continue;
		memcpy(&info, reply.payload, 16);
		assert_int_equal(info.count, expected[i].count);
		assert_int_equal(info.flags, expected[i].flags);
	}
	server_end(server);
}

/* A client that waits for data must get some: no bare error for any index that it was told of. */
static void every_index_that_is_told_of_is_answered_in_full(void **state)
{
	struct test_server *server = server_start_negotiated();
	const uint32_t payload[4] = {16};
	uint32_t info[4];
	struct test_reply reply =
		client_ask(server, VFIO_USER_DEVICE_GET_INFO, payload, sizeof(payload));

	(void)state;
	memcpy(info, reply.payload, sizeof(info));
	for (uint32_t i = 0; i < info[2]; i++) {
		const struct vfio_user_io_fds fds = {.argsz = sizeof(fds), .index = i};

		assert_int_equal(ask(server, i, 32).payload_bytes, 32);
		reply = client_ask(server, VFIO_USER_DEVICE_GET_REGION_IO_FDS, &fds, sizeof(fds));
		assert_int_equal(reply.payload_bytes, sizeof(fds));
	}
	for (uint32_t i = 0; i < info[3]; i++) {
		const struct vfio_irq_info irq = {.argsz = sizeof(irq), .index = i};

		reply = client_ask(server, VFIO_USER_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
		assert_int_equal(reply.payload_bytes, sizeof(irq));
	}
	assert_int_equal(server->complaints, 0);
	server_end(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_device_is_pci_and_can_be_reset),
		cmocka_unit_test(a_trapped_region_has_neither_capability_nor_descriptor),
		cmocka_unit_test(a_region_that_is_not_there_has_no_size),
		cmocka_unit_test(the_short_answer_says_what_a_longer_one_would_have),
		cmocka_unit_test(the_long_answer_brings_area_and_descriptor),
		cmocka_unit_test(questions_out_of_range_are_refused),
		cmocka_unit_test(no_region_is_accessed_through_descriptors),
		cmocka_unit_test(interrupts_are_one_intx_and_one_msi),
		cmocka_unit_test(every_index_that_is_told_of_is_answered_in_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
