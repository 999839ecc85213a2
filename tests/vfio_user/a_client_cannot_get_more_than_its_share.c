/* SPDX-License-Identifier: BSD-2-Clause */
/* Of our time, of descriptors on their way, of our patience. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/vfio_user/client.h"

#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define MSI     VFIO_PCI_MSI_IRQ_INDEX
#define INTX    VFIO_PCI_INTX_IRQ_INDEX

static void nobody_serves(struct test_server *server)
{
	(void)server;
}

static void messages_beyond_the_budget_are_left_over(void **state)
{
	struct test_server *server = server_start_negotiated();
	struct test_reply reply;
	unsigned int budget, resets = 0;

	(void)state;
	server->serve = nobody_serves;
	for (int i = 0; i < 10; i++)
		client_send(server, VFIO_USER_DEVICE_RESET, 0, NULL, 0, NULL, 0);
	for (unsigned int left = 10; left > 0; left = 10 - resets) {
		const unsigned int given = left < 4 ? left : 4;

		budget = given;
		assert_int_equal(vfio_user_serve(server->session, &server->device, &budget),
				 left > given);
		assert_int_equal(budget, 0);
		resets += given;
		assert_int_equal(server->resets, resets);
		assert_int_equal(wire_has_work(&server->session->wire), left > given);
	}
	for (int i = 0; i < 10; i++)
		assert_true(client_receive(server, &reply));
	/* What was not needed is still there. */
	client_send(server, VFIO_USER_DEVICE_RESET, 0, NULL, 0, NULL, 0);
	budget = 4;
	assert_int_equal(vfio_user_serve(server->session, &server->device, &budget), 0);
	assert_int_equal(budget, 3);
	server_end(server);
}

static void interrupted(int number)
{
	(void)number;
}

/* Full and blocking: a write to it waits until a signal comes, and then never again. */
static void an_eventfd_that_held_us_up_is_written_to_no_more(void **state)
{
	const struct sigaction action = {.sa_handler = interrupted};
	const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	const uint64_t full = UINT64_MAX - 1;
	struct test_server *server = server_start_negotiated();

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	server->level = true;
	for (int i = 0; i < 2; i++) {
		int *slot = i ? &server->session->intx : &server->session->msi;
		const unsigned int before = open_fds();
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		assert_int_equal(client_set_irqs(server, i ? INTX : MSI, EVENTFD, 1, fd), 0);
		eventfd_count(fd);
		server->session->intx_masked = false;
		assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
		assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
		setitimer(ITIMER_REAL, &often, NULL);
		vfio_user_interrupt(server->session, &server->device);
		setitimer(ITIMER_REAL, &never, NULL);
		assert_int_equal(server->held_up, i + 1);
		assert_int_equal(*slot, -1);
		vfio_user_interrupt(server->session, &server->device);
		close(fd);
		assert_int_equal(open_fds(), before);
	}
	server_end(server);
}

/* The same of one that tells us to read it and has nothing to be read. */
static void an_unmask_eventfd_that_held_us_up_is_read_no_more(void **state)
{
	const struct sigaction action = {.sa_handler = interrupted};
	const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	struct test_server *server = server_start_negotiated();
	const unsigned int before = open_fds();
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(client_set_irqs(server, INTX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 1,
					 fd),
			 0);
	vfio_user_unmask(server->session, &server->device);
	assert_int_equal(server->held_up, 0);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	vfio_user_unmask(server->session, &server->device);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(server->held_up, 1);
	assert_int_equal(server->watched, -1);
	vfio_user_unmask(server->session, &server->device);
	close(fd);
	assert_int_equal(open_fds(), before);
	server_end(server);
}

static void who_may_not_interrupt_is_refused_and_served_otherwise(void **state)
{
	struct test_server *server = server_start_negotiated();
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const unsigned int before = open_fds();

	(void)state;
	server->no_interrupts = true;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), EPERM);
	assert_int_equal(client_set_irqs(server, INTX, EVENTFD, 1, fd), EPERM);
	assert_int_equal(client_set_irqs(server, INTX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 1,
					 fd),
			 EPERM);
	assert_int_equal(open_fds(), before);
	assert_int_equal(server->watched, -1);
	client_expect(server, VFIO_USER_DEVICE_RESET, NULL, 0, 0);
	/* To take one away is no harm. */
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, -1), 0);
	server->no_interrupts = false;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	close(fd);
	server_end(server);
}

/* Its socket stays until it has them, or has gone: those on their way are limited. */
static void one_that_does_not_take_descriptors_is_not_closed(void **state)
{
	const struct vfio_region_info info = {.argsz = 64, .index = VFIO_PCI_BAR2_REGION_INDEX};
	struct test_server *server = server_start_negotiated();
	struct test_reply reply;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	assert_int_equal(client_set_irqs(server, MSI, EVENTFD, 1, fd), 0);
	client_send(server, VFIO_USER_DEVICE_GET_REGION_INFO, 0, &info, sizeof(info), NULL, 0);
	for (int i = 0; i < 2; i++) {
		vfio_user_part(server->session, &server->device);
		assert_true(vfio_user_is_open(server->session));
		assert_false(wire_has_taken_all(&server->session->wire));
		assert_true(server->session->parting);
		assert_false(server->attached);
		assert_int_equal(server->resets, 1);
		assert_int_equal(server->session->msi, -1);
	}
	/* Another process goes on with that, and the client is not attached again. */
	vfio_user_resume(server->session, &server->device);
	assert_true(server->session->parting);
	assert_false(server->attached);

	assert_true(client_receive(server, &reply));
	close(reply.fd);
	assert_true(wire_has_taken_all(&server->session->wire));
	vfio_user_close(server->session, &server->device);
	assert_false(vfio_user_is_open(server->session));
	assert_int_equal(server->resets, 1);
	close(fd);
	server_end(server);
}

static void one_that_goes_leaves_nothing_on_its_way(void **state)
{
	const struct vfio_region_info info = {.argsz = 64, .index = VFIO_PCI_BAR2_REGION_INDEX};
	struct test_server *server = server_start_negotiated();

	(void)state;
	client_send(server, VFIO_USER_DEVICE_GET_REGION_INFO, 0, &info, sizeof(info), NULL, 0);
	assert_false(wire_has_taken_all(&server->session->wire));
	close(server->client);
	server->client = -1;
	server->serve(server);
	assert_int_equal(server->result, -ECONNRESET);
	assert_true(wire_has_taken_all(&server->session->wire));
	server_end(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_beyond_the_budget_are_left_over),
		cmocka_unit_test(an_eventfd_that_held_us_up_is_written_to_no_more),
		cmocka_unit_test(an_unmask_eventfd_that_held_us_up_is_read_no_more),
		cmocka_unit_test(who_may_not_interrupt_is_refused_and_served_otherwise),
		cmocka_unit_test(one_that_does_not_take_descriptors_is_not_closed),
		cmocka_unit_test(one_that_goes_leaves_nothing_on_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
