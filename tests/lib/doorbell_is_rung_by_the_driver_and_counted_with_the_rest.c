/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In a guest whose driver has bound a doorbell, an emit rings it, or where a process cannot, is a write
 * to the device file; and events are those of the status page and those of the other's page together.
 * The peer may write there what it likes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_guest.h"
#include "fixture.h"

#define UIO "sys/class/uio/uio0/"
#define PCI "sys/bus/pci/devices/"

static struct fake_guest guest;

/* What stands in for the driver's irqcontrol(): what was written, and what to answer first. */
static struct {
	unsigned int writes;
	int32_t value;
	int answers[4]; /* errno; 0: written */
	unsigned int answered;
} driver;

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
	struct stat status;

	/* The test's own end of the FIFO is the interrupt. */
	if (fd == guest.fifo || fstat(fd, &status) || !S_ISFIFO(status.st_mode))
		return __real_write(fd, data, bytes);
	if (driver.answered < 4 && driver.answers[driver.answered]) {
		errno = driver.answers[driver.answered++];
		return -1;
	}
	assert_int_equal(bytes, sizeof(driver.value));
	memcpy(&driver.value, data, sizeof(driver.value));
	driver.writes++;
	return (ssize_t)bytes;
}

static int start(void **state)
{
	(void)state;
	memset(&driver, 0, sizeof(driver));
	fake_guest_create(&guest);
	fake_guest_add_device(&guest, "uio_crossvm");
	fake_guest_add_uio_with_doorbell(&guest);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_guest_destroy(&guest);
	return 0;
}

static void ring(uint64_t count)
{
	__atomic_fetch_add(&guest.doorbell->emitted, count, __ATOMIC_RELEASE);
	fake_guest_interrupt(&guest);
}

static bool is_in_use(void)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);
	struct crossvm_connection_info info;

	crossvm_connection_info(conn, &info);
	crossvm_connection_close(conn);
	return info.features & CROSSVM_FEATURE_DOORBELL;
}

static void assert_emits_by_register(void)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);

	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 1);
	assert_int_equal(driver.writes, 0);
	crossvm_connection_close(conn);
}

static void an_emit_is_one_write_to_the_device(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);

	(void)state;
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(driver.writes, 1);
	assert_int_equal(driver.value, CROSSVM_UIO_EMIT);
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(driver.writes, 2);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 0);
	crossvm_connection_close(conn);
}

static void an_emit_goes_on_after_signals(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);

	(void)state;
	driver.answers[0] = EINTR;
	driver.answers[1] = EINTR;
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(driver.writes, 1);
	crossvm_connection_close(conn);
}

static void an_emit_by_a_removed_device_says_so(void **state)
{
	static const int errors[] = {EINVAL, EIO, ENODEV};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);

		driver.answered = 0;
		driver.answers[0] = errors[i];
		assert_int_equal(crossvm_connection_emit(conn), -ENODEV);
		assert_error_says("telemetry: its device has been removed");
		assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -ENODEV);
		assert_int_equal(crossvm_connection_emit(conn), -ENODEV);
		assert_int_equal(driver.writes, 0);
		crossvm_connection_close(conn);
	}
}

static void another_failure_of_an_emit_may_pass(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);

	(void)state;
	driver.answers[0] = EPERM;
	assert_int_equal(crossvm_connection_emit(conn), -EPERM);
	assert_error_says("telemetry: cannot emit");
	assert_int_equal(crossvm_connection_emit(conn), 0);
	crossvm_connection_close(conn);
}

/* Processes that ring by themselves. */

#define OTHER   1
#define CALL    ((CROSSVM_DOORBELL_POSITION(7, 0) ^ 1u) << 16)
#define LISTENS (UINT64_C(1) << OTHER)

static uint32_t rung(void)
{
	const uint32_t *registers = (const void *)(guest.ring + 1);

	return registers[CROSSVM_DOORBELL_REG_RING / 4];
}

static struct crossvm_connection *open_ring(uint64_t listeners)
{
	fake_guest_add_ring(&guest);
	guest.status->listeners = listeners;
	return fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);
}

static void an_emit_counts_and_rings_while_the_other_listens(void **state)
{
	struct crossvm_connection *conn = open_ring(LISTENS);

	(void)state;
	for (unsigned int i = 1; i <= 3; i++) {
		assert_int_equal(crossvm_connection_emit(conn), 0);
		assert_int_equal(guest.ring->emitted, i);
	}
	assert_int_equal(rung(), CALL);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 0);
	assert_int_equal(driver.writes, 0);
	assert_int_equal(crossvm_connection_total(conn), 0);
	crossvm_connection_close(conn);
}

static void while_it_does_not_the_register_alone_is_right(void **state)
{
	struct crossvm_connection *conn = open_ring(~LISTENS);

	(void)state;
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 1);
	assert_int_equal(guest.ring->emitted, 0);
	assert_int_equal(rung(), 0);
	assert_int_equal(driver.writes, 0);
	crossvm_connection_close(conn);
}

/* As the library rings: the registers cannot be written until this has run. */
static void stop_listening(int signal)
{
	(void)signal;
	guest.status->listeners = 0;
	mprotect(fake_guest_ring_mapped + CROSSVM_PAGE_BYTES, CROSSVM_PAGE_BYTES,
		 PROT_READ | PROT_WRITE);
}

static void one_who_stops_meanwhile_gets_it_by_the_register_too(void **state)
{
	struct crossvm_connection *conn = open_ring(LISTENS);
	const struct sigaction action = {.sa_handler = stop_listening};
	struct sigaction before;

	(void)state;
	assert_int_equal(mprotect(fake_guest_ring_mapped + CROSSVM_PAGE_BYTES, CROSSVM_PAGE_BYTES,
				  PROT_READ),
			 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	assert_int_equal(crossvm_connection_emit(conn), 0);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(guest.status->listeners, 0);
	assert_int_equal(guest.ring->emitted, 1);
	assert_int_equal(rung(), CALL);
	assert_int_equal(guest.registers[CROSSVM_REG_EMIT / 4], 1);
	crossvm_connection_close(conn);
}

static void events_of_both_kinds_add_up(void **state)
{
	struct crossvm_connection *conn;
	uint64_t count;

	(void)state;
	ring(10);
	conn = fake_guest_must_open(&guest, 0);
	assert_int_equal(crossvm_connection_total(conn), 10);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ETIMEDOUT);
	ring(3);
	fake_guest_events(&guest, 4);
	assert_int_equal(crossvm_connection_wait(conn, -1, &count), 0);
	assert_int_equal(count, 7);
	assert_int_equal(crossvm_connection_total(conn), 17);
	crossvm_connection_close(conn);
}

static void *ring_later(void *context)
{
	(void)context;
	usleep(20000);
	ring(1);
	return NULL;
}

static void each_ring_ends_a_wait(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);

	(void)state;
	for (int i = 0; i < 5; i++) {
		pthread_t peer;
		uint64_t count;

		assert_int_equal(pthread_create(&peer, NULL, ring_later, NULL), 0);
		assert_int_equal(crossvm_connection_wait(conn, i % 2 ? 60000 : -1, &count), 0);
		assert_int_equal(count, 1);
		pthread_join(peer, NULL);
	}
	crossvm_connection_close(conn);
}

static void a_count_that_goes_back_is_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	ring(10);
	conn = fake_guest_must_open(&guest, 0);
	guest.doorbell->emitted = 9;
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -EPROTO);
	assert_error_says("telemetry: the count of events went back from 10 to 9: the host, or a "
			  "peer with a doorbell, is at fault");
	crossvm_connection_close(conn);
}

static void a_count_that_wraps_is_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	fake_guest_events(&guest, 10);
	conn = fake_guest_must_open(&guest, 0);
	guest.doorbell->emitted = UINT64_MAX;
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -EPROTO);
	assert_error_says("went back from 10 to 9");
	crossvm_connection_close(conn);
}

static void nothing_of_a_removed_device_is_touched(void **state)
{
	struct crossvm_connection *conn = fake_guest_must_open(&guest, 0);

	(void)state;
	ring(3);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), 0);
	fake_guest_remove(&guest);
	assert_int_equal(crossvm_connection_wait(conn, -1, NULL), -ENODEV);
	fake_guest_resize(&guest, PCI FAKE_DOORBELL "/resource2", 0);
	assert_int_equal(crossvm_connection_wait(conn, 0, NULL), -ENODEV);
	assert_int_equal(crossvm_connection_total(conn), 3);
	crossvm_connection_close(conn);
}

static void info_says_whether_a_doorbell_is_in_use(void **state)
{
	(void)state;
	assert_true(is_in_use());
	fake_guest_file(&guest, UIO "maps/map3/name", NULL);
	assert_false(is_in_use());
	assert_true(guest.status->features & CROSSVM_FEATURE_DOORBELL);
	assert_emits_by_register();
}

/* Nobody rings for it either. */
static void without_an_interrupt_it_is_not_used(void **state)
{
	(void)state;
	fake_guest_file(&guest, PCI FAKE_EVENTS "/crossvm_irq", "none\n");
	assert_false(is_in_use());
	assert_emits_by_register();
}

static void other_backends_do_not_use_it(void **state)
{
	struct crossvm_connection_info info;
	struct crossvm_connection *conn;

	(void)state;
	fake_guest_file(&guest, PCI FAKE_EVENTS "/driver", NULL);
	fake_guest_file(&guest, PCI FAKE_MEMORY "/driver", NULL);
	conn = fake_guest_must_open(&guest, CROSSVM_OPEN_EMIT);
	crossvm_connection_info(conn, &info);
	assert_int_not_equal(info.backend, CROSSVM_BACKEND_UIO_CROSSVM);
	assert_false(info.features & CROSSVM_FEATURE_DOORBELL);
	ring(5);
	assert_int_equal(crossvm_connection_total(conn), 0);
	crossvm_connection_close(conn);
}

static void a_page_that_is_too_small_is_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	fake_guest_file(&guest, UIO "maps/map3/size", "0x800\n");
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -EPROTO);
	assert_error_says("its map 'doorbell' has 2048 bytes");
}

static void more_than_two_members_are_refused(void **state)
{
	struct crossvm_connection *conn;

	(void)state;
	guest.status->member_count = 3;
	assert_int_equal(fake_guest_open(&guest, "telemetry", 0, &conn), -EPROTO);
	assert_error_says("it has a doorbell and 3 members instead of 2");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_emit_is_one_write_to_the_device),
		TEST(an_emit_goes_on_after_signals),
		TEST(an_emit_by_a_removed_device_says_so),
		TEST(another_failure_of_an_emit_may_pass),
		TEST(an_emit_counts_and_rings_while_the_other_listens),
		TEST(while_it_does_not_the_register_alone_is_right),
		TEST(one_who_stops_meanwhile_gets_it_by_the_register_too),
		TEST(events_of_both_kinds_add_up),
		TEST(each_ring_ends_a_wait),
		TEST(a_count_that_goes_back_is_refused),
		TEST(a_count_that_wraps_is_refused),
		TEST(nothing_of_a_removed_device_is_touched),
		TEST(info_says_whether_a_doorbell_is_in_use),
		TEST(without_an_interrupt_it_is_not_used),
		TEST(other_backends_do_not_use_it),
		TEST(a_page_that_is_too_small_is_refused),
		TEST(more_than_two_members_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
