/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/host/guest.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

static bool is_gone(int client)
{
	char byte;

	return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

static void a_second_client_is_refused_with_a_clear_message(void **state)
{
	struct guest *guest = guest_start();
	struct test_server first = guest_attach(guest, "writer.events");
	struct test_server second = guest_connect(guest, "writer.events");

	(void)state;
	guest_serve(guest);
	assert_true(is_gone(second.client));
	assert_int_equal(guest->logged, 1);
	assert_non_null(strstr(guest->log, "was refused: a client is attached already"));
	assert_non_null(strstr(guest->log, "\"writer\""));
	assert_int_equal(guest_read32(&first, CONFIG, 0), 0xa1111af4);
	close(second.client);
	guest_detach(&first);
	guest_end(guest);
}

/* Even if it was there before anybody noticed that the first had gone. */
static void one_that_follows_at_once_is_not_refused(void **state)
{
	struct guest *guest = guest_start();
	struct test_server first = guest_attach(guest, "writer.events"), second;
	const struct vfio_user_access access = {
		.region = 0, .offset = CROSSVM_REG_EMIT, .count = 4};
	unsigned char message[36] = {0};
	const struct vfio_user_header header = {.command = VFIO_USER_REGION_WRITE,
						.bytes = sizeof(message),
						.flags = VFIO_USER_FLAGS_NO_REPLY};

	(void)state;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), &access, sizeof(access));
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(first.client, message, sizeof(message)), sizeof(message));
	second = guest_connect(guest, "writer.events");
	close(first.client);
	guest_serve(guest);
	assert_int_equal(guest->logged, 0);
	/* What the first had still to say was heard. */
	assert_int_equal(guest->counts->emitted[GUEST_WRITER], 100);
	client_expect(&second, VFIO_USER_VERSION, &(struct vfio_user_version){0}, 4, 0);
	guest_detach(&second);
	guest_end(guest);
}

static void the_next_one_finds_a_device_as_after_power_on(void **state)
{
	struct guest *guest = guest_start();
	struct test_server client = guest_attach(guest, "writer.events");
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	guest_write32(&client, CONFIG, 0x04, 0x0406);
	guest_write32(&client, CONFIG, 0x10, 0xfebf0000);
	guest_write32(&client, 0, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
	assert_int_equal(client_set_irqs(&client, VFIO_PCI_MSI_IRQ_INDEX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1,
					 fd),
			 0);
	consume_connection_event(guest->vm, 10, true);
	assert_int_equal(eventfd_count(fd), 1);
	guest_detach(&client);

	/* Nobody is there, but the event is not lost. */
	consume_connection_event(guest->vm, 10, true);
	assert_int_equal(eventfd_count(fd), 0);
	client = guest_attach(guest, "writer.events");
	assert_int_equal(guest_read32(&client, CONFIG, 0x04) & 0xffff, 0);
	assert_int_equal(guest_read32(&client, CONFIG, 0x10) & ~0xfu, 0);
	assert_int_equal(guest_read32(&client, 0, CROSSVM_REG_CONTROL), 0);
	assert_int_equal(guest_read32(&client, 0, CROSSVM_REG_EVENT_COUNT), 2);
	close(fd);
	guest_detach(&client);
	guest_end(guest);
}

static void one_that_breaks_the_rules_costs_the_others_nothing(void **state)
{
	struct guest *guest = guest_start();
	struct test_server good = guest_attach(guest, "writer.events");
	struct test_server bad = guest_attach(guest, "reader.events");

	(void)state;
	client_send_raw(&bad, "this is not vfio-user at all", 28, NULL, 0);
	assert_true(is_gone(bad.client));
	assert_int_equal(guest->counts->state[GUEST_READER], CROSSVM_PEER_ABSENT);
	assert_int_equal(guest_read32(&good, CONFIG, 0), 0xa1111af4);
	close(bad.client);
	bad = guest_attach(guest, "reader.events");
	assert_int_equal(guest_read32(&bad, CONFIG, 0), 0xa1111af4);
	guest_detach(&bad);
	guest_detach(&good);
	guest_end(guest);
}

static void what_a_client_provokes_is_not_logged_without_end(void **state)
{
	struct guest *guest = guest_start();
	struct test_server client = guest_attach(guest, "writer.events");

	(void)state;
	for (int i = 0; i < 100; i++)
		guest_write32(&client, VFIO_PCI_NUM_REGIONS, 0, 0); /* there is no such region */
	assert_in_range(guest->logged, 1, 30);
	guest_detach(&client);
	guest_end(guest);
}

/* One function of the VM is reset, the other goes on. */
static void reset_is_for_one_function(void **state)
{
	struct guest *guest = guest_start();
	struct test_server events = guest_attach(guest, "writer.events");
	struct test_server memory = guest_attach(guest, "writer.memory");

	(void)state;
	guest_write32(&events, CONFIG, 0x04, 0x0006);
	guest_write32(&memory, CONFIG, 0x04, 0x0006);
	guest_write32(&memory, CONFIG, 0x10, 0xfebf0000);
	client_expect(&memory, VFIO_USER_DEVICE_RESET, NULL, 0, 0);
	assert_int_equal(guest_read32(&memory, CONFIG, 0x04) & 0xffff, 0);
	assert_int_equal(guest_read32(&memory, CONFIG, 0x10) & ~0xfu, 0);
	assert_int_equal(guest_read32(&events, CONFIG, 0x04) & 0xffff, 6);
	guest_detach(&events);
	guest_detach(&memory);
	guest_end(guest);
}

/* No descriptor left for a client: it waits, nobody else is disturbed, and nothing spins. */
static void one_that_cannot_be_accepted_waits(void **state)
{
	struct guest *guest = guest_start();
	struct test_server good = guest_attach(guest, "reader.events");
	struct test_server waiting = guest_connect(guest, "writer.events");
	const struct vfio_user_version version = {0};
	struct rlimit limit, less;
	const int next = dup(0);

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	less = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	assert_int_equal(crossvm_host_dispatch(guest->host, 0), 1);
	assert_int_equal(crossvm_host_dispatch(guest->host, 0), 0);
	assert_non_null(strstr(guest->log, "cannot accept a client"));
	/* Others go on; each of their messages makes for one more try. */
	assert_int_equal(guest_read32(&good, CONFIG, 0), 0xa1111af4);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(guest_read32(&good, CONFIG, 0), 0xa1111af4);
	client_expect(&waiting, VFIO_USER_VERSION, &version, sizeof(version), 0);
	guest_detach(&waiting);
	guest_detach(&good);
	guest_end(guest);
}

static void everything_is_given_back(void **state)
{
	const unsigned int before = open_fds();

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct guest *guest = guest_start();
		struct test_server client = guest_attach(guest, "single.events");

		/* Also with a client still there. */
		assert_int_equal(guest_read32(&client, CONFIG, 0), 0xa1111af4);
		guest_end(guest);
		assert_true(is_gone(client.client));
		close(client.client);
		assert_int_equal(open_fds(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_client_is_refused_with_a_clear_message),
		cmocka_unit_test(one_that_follows_at_once_is_not_refused),
		cmocka_unit_test(the_next_one_finds_a_device_as_after_power_on),
		cmocka_unit_test(one_that_breaks_the_rules_costs_the_others_nothing),
		cmocka_unit_test(what_a_client_provokes_is_not_logged_without_end),
		cmocka_unit_test(reset_is_for_one_function),
		cmocka_unit_test(one_that_cannot_be_accepted_waits),
		cmocka_unit_test(everything_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
