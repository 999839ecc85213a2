/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/vfio_user/client.h"

#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define NONE    (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)
#define UNMASK  (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK)
#define INTX    VFIO_PCI_INTX_IRQ_INDEX
#define MSI     VFIO_PCI_MSI_IRQ_INDEX

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void msi_fires_each_time(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd();

	(void)state;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	assert_int_equal(eventfd_count(fd), 0);
	for (int i = 0; i < 3; i++)
		vfio_user_interrupt(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 3);
	assert_int_equal(client_set_irqs(server, MSI, NONE, 0, -1), 0);
	vfio_user_interrupt(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 0);
	close(fd);
	server_end(server);
}

static void what_is_pending_fires_when_msi_is_set_up(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd();

	(void)state;
	server->pending = true;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	assert_int_equal(eventfd_count(fd), 1);
	close(fd);
	server_end(server);
}

static void intx_fires_once_until_it_is_unmasked(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd();

	(void)state;
	assert_int_equal(client_set_irqs(server, INTX, EVENTFD, 1, fd), 0);
	vfio_user_interrupt(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 0); /* the line is low */
	server->level = true;
	vfio_user_interrupt(server->session, &server->device);
	vfio_user_interrupt(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 1);
	/* Still asserted at the end of interrupt: again. */
	assert_int_equal(client_set_irqs(server, INTX, UNMASK, 1, -1), 0);
	assert_int_equal(eventfd_count(fd), 1);
	server->level = false;
	assert_int_equal(client_set_irqs(server, INTX, UNMASK, 1, -1), 0);
	assert_int_equal(eventfd_count(fd), 0);
	server->level = true;
	vfio_user_intx_changed(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 1);
	close(fd);
	server_end(server);
}

static void intx_is_unmasked_through_a_descriptor_too(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd(), unmask = new_eventfd();
	const uint64_t one = 1;

	(void)state;
	server->level = true;
	assert_int_equal(client_set_irqs(server, INTX, EVENTFD, 1, fd), 0);
	assert_int_equal(eventfd_count(fd), 1); /* it was pending */
	assert_int_equal(client_set_irqs(server, INTX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 1,
					 unmask),
			 0);
	assert_true(server->watched >= 0);
	assert_int_equal(write(unmask, &one, 8), 8);
	vfio_user_unmask(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 1);
	vfio_user_unmask(server->session, &server->device); /* for nothing */
	assert_int_equal(eventfd_count(fd), 0);
	assert_int_equal(client_set_irqs(server, INTX, NONE, 0, -1), 0);
	assert_int_equal(server->watched, -1);
	close(fd);
	close(unmask);
	server_end(server);
}

static void masked_by_message_intx_waits(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd();

	(void)state;
	assert_int_equal(client_set_irqs(server, INTX, EVENTFD, 1, fd), 0);
	assert_int_equal(client_set_irqs(server, INTX,
					 VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 1, -1),
			 0);
	server->level = true;
	vfio_user_interrupt(server->session, &server->device);
	assert_int_equal(eventfd_count(fd), 0);
	assert_int_equal(client_set_irqs(server, INTX, UNMASK, 1, -1), 0);
	assert_int_equal(eventfd_count(fd), 1);
	close(fd);
	server_end(server);
}

static void the_client_may_trigger_for_itself(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd();
	unsigned char payload[21];
	struct vfio_irq_set set = {.argsz = sizeof(payload),
				   .flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
				   .index = MSI,
				   .count = 1};

	(void)state;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	assert_int_equal(client_set_irqs(server, MSI, NONE, 1, -1), 0);
	assert_int_equal(eventfd_count(fd), 1);
	for (unsigned char value = 0; value < 2; value++) {
		memcpy(payload, &set, sizeof(set));
		payload[20] = value;
		client_expect(server, VFIO_USER_DEVICE_SET_IRQS, payload, sizeof(payload), 0);
		assert_int_equal(eventfd_count(fd), value);
	}
	close(fd);
	server_end(server);
}

static void descriptors_are_closed_when_replaced_or_taken_away(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = new_eventfd();
	const unsigned int before = open_fds();

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
		assert_int_equal(client_set_irqs(server, INTX, EVENTFD, 1, fd), 0);
		assert_int_equal(open_fds(), before + 2);
	}
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, -1), 0); /* de-assigned */
	assert_int_equal(client_set_irqs(server, INTX, NONE, 0, -1), 0);
	assert_int_equal(open_fds(), before);
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	vfio_user_close(server->session, &server->device);
	assert_int_equal(open_fds(), before - 1); /* and the socket */
	close(fd);
	server_end(server);
}

/* What is not an eventfd could make a write to it wait for the client. */
static void other_kinds_of_descriptors_are_refused(void **state)
{
	struct test_server *server = server_start_negotiated();
	int pipe_fds[2], file = open("/dev/null", O_RDWR | O_CLOEXEC);
	const unsigned int before = open_fds() + 2;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, pipe_fds[1]), EINVAL);
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, file), EINVAL);
	assert_int_equal(client_set_irqs(server, INTX, EVENTFD, 1, server->memory_fd), EINVAL);
	assert_int_equal(open_fds(), before);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(file);
	server_end(server);
}

static void a_full_eventfd_does_not_stop_us(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = eventfd(0, EFD_CLOEXEC);
	const uint64_t full = UINT64_MAX - 1;

	(void)state;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	assert_int_equal(write(fd, &full, 8), 8);
	vfio_user_interrupt(server->session, &server->device);
	close(fd);
	server_end(server);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	static const uint32_t sets[][5] = {
		{20, EVENTFD, MSI, 1, 1},
		{20, EVENTFD, MSI, 0, 2},
		{20, EVENTFD, MSI, 0, 0},
		{20, EVENTFD, MSI, UINT32_MAX, 1},
		{20, EVENTFD, MSI, 1, UINT32_MAX},
		{20, EVENTFD, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1},
		{20, EVENTFD, 99, 0, 1},
		{19, EVENTFD, MSI, 0, 1},
		{20, EVENTFD | 0x40, MSI, 0, 1},
		{20, 0, MSI, 0, 1},
		{20, VFIO_IRQ_SET_DATA_NONE, 0, 0, 1},
		{20, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, 1},
		{20, EVENTFD | VFIO_IRQ_SET_DATA_NONE, 0, 0, 1},
		{20, EVENTFD | VFIO_IRQ_SET_ACTION_MASK, 0, 0, 1},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, INTX, 0, 1},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, MSI, 0, 1},
		{20, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, MSI, 0, 1},
		{20, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, MSI, 0, 1},
	};
	struct test_server *server = server_start_negotiated();
	const unsigned int before = open_fds();

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		assert_int_not_equal(
			client_ask(server, VFIO_USER_DEVICE_SET_IRQS, sets[i], 20).header.error, 0);
	assert_int_equal(open_fds(), before);
	server_end(server);
}

static void more_descriptors_than_interrupts_are_refused_and_closed(void **state)
{
	const struct vfio_irq_set set = {.argsz = 20, .flags = EVENTFD, .index = MSI, .count = 1};
	const struct vfio_irq_set none = {.argsz = 20, .flags = NONE, .index = MSI, .count = 1};
	struct test_server *server = server_start_negotiated();
	int fds[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		fds[i] = new_eventfd();
	const unsigned int before = open_fds();
	for (size_t count = 2; count <= 8; count++)
		assert_int_equal(
			client_ask_with_fds(server, VFIO_USER_DEVICE_SET_IRQS, &set, 20, fds, count)
				.header.error,
			EINVAL);
	assert_int_equal(client_ask_with_fds(server, VFIO_USER_DEVICE_SET_IRQS, &none, 20, fds, 1)
				 .header.error,
			 EINVAL);
	assert_int_equal(open_fds(), before);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	server_end(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msi_fires_each_time),
		cmocka_unit_test(what_is_pending_fires_when_msi_is_set_up),
		cmocka_unit_test(intx_fires_once_until_it_is_unmasked),
		cmocka_unit_test(intx_is_unmasked_through_a_descriptor_too),
		cmocka_unit_test(masked_by_message_intx_waits),
		cmocka_unit_test(the_client_may_trigger_for_itself),
		cmocka_unit_test(descriptors_are_closed_when_replaced_or_taken_away),
		cmocka_unit_test(other_kinds_of_descriptors_are_refused),
		cmocka_unit_test(a_full_eventfd_does_not_stop_us),
		cmocka_unit_test(requests_that_make_no_sense_are_refused),
		cmocka_unit_test(more_descriptors_than_interrupts_are_refused_and_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
