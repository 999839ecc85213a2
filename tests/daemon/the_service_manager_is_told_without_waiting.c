/* SPDX-License-Identifier: BSD-2-Clause */
/* A service manager that does not read, or is replaced, holds nobody up; and it may ask for a watchdog. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/notify.h"

static struct sockaddr_un address_of(const struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", daemon->dir);
	return address;
}

static void open_for(const struct daemon *daemon, struct notify *notify)
{
	struct sockaddr_un address = address_of(daemon);

	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	assert_int_equal(notify_open(notify), 0);
}

static void assert_told(const struct daemon *daemon, const char *expected)
{
	char text[256];
	ssize_t bytes = recv(daemon->notify, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(bytes > 0);
	text[bytes] = '\0';
	assert_string_equal(text, expected);
}

static void fill(const struct notify *notify)
{
	int error;

	while ((error = notify_send(notify, "WATCHDOG=1", 0)) == 0)
		;
	assert_int_equal(error, -EAGAIN);
}

static void without_a_service_manager_nothing_happens(void **state)
{
	struct notify notify;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(&notify), 0);
	assert_int_equal(notify_send(&notify, "READY=1", 0), 0);
	notify_close(&notify);
}

static void one_that_does_not_read_is_not_waited_for(void **state)
{
	struct daemon *daemon = *state;
	struct notify notify;

	open_for(daemon, &notify);
	fill(&notify);
	assert_int_equal(notify_send(&notify, "WATCHDOG=1", 0), -EAGAIN);
	assert_int_equal(notify_send(&notify, "READY=1", 1), -EAGAIN);
	assert_told(daemon, "WATCHDOG=1");
	assert_int_equal(notify_send(&notify, "READY=1", -1), 0);
	notify_close(&notify);
}

static unsigned int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void one_that_was_replaced_hears_what_follows(void **state)
{
	struct daemon *daemon = *state;
	struct sockaddr_un address = address_of(daemon);
	struct notify notify;
	unsigned int descriptors;

	open_for(daemon, &notify);
	descriptors = count_descriptors();
	assert_int_equal(notify_send(&notify, "one", 0), 0);
	assert_told(daemon, "one");
	assert_int_equal(count_descriptors(), descriptors);
	close(daemon->notify);
	unlink(address.sun_path);
	assert_true(notify_send(&notify, "nobody", 0) < 0);
	daemon->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(daemon->notify, (struct sockaddr *)&address, sizeof(address)),
			   errno);
	assert_int_equal(notify_send(&notify, "two", 0), 0);
	assert_told(daemon, "two");
	assert_int_equal(count_descriptors(), descriptors);
	notify_close(&notify);
	assert_int_equal(count_descriptors(), descriptors - 1);
}

static void a_watchdog_is_fed_twice_in_its_time(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_interval_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 15000);
	setenv("WATCHDOG_USEC", "1", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 1);
	setenv("WATCHDOG_USEC", "18446744073709551615", 1);
	assert_int_equal(notify_watchdog_interval_ms(), INT_MAX);
	for (size_t i = 0; i < 4; i++) {
		static const char *const wrong[] = {"0", "", "-5", "12s"};

		setenv("WATCHDOG_USEC", wrong[i], 1);
		assert_int_equal(notify_watchdog_interval_ms(), 0);
	}
	/* it may be meant for somebody else */
	setenv("WATCHDOG_USEC", "30000000", 1);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_interval_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_interval_ms(), 0);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
}

static void wait_for(const struct daemon *daemon, const char *expected)
{
	struct pollfd ready = {.fd = daemon->notify, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, 60000), 1);
	assert_told(daemon, expected);
}

/* By the holder, whatever becomes of its workers: they are its own business. */
static void the_daemon_feeds_its_watchdog(void **state)
{
	struct daemon *daemon = *state;

	setenv("WATCHDOG_USEC", "20000", 1);
	daemon_start(daemon, SYSTEM, NULL);
	unsetenv("WATCHDOG_USEC");
	for (int i = 0; i < 3; i++)
		wait_for(daemon, "WATCHDOG=1");
	kill(daemon_worker(daemon), SIGSTOP);
	for (int i = 0; i < 3; i++)
		wait_for(daemon, "WATCHDOG=1");
	daemon_kill_worker(daemon, SIGKILL);
	for (int i = 0; i < 3; i++)
		wait_for(daemon, "WATCHDOG=1");
	assert_int_equal(daemon_stop(daemon), 0);
}

/* Before, it waited there for ever. */
static void the_daemon_ends_though_nobody_reads(void **state)
{
	struct daemon *daemon = *state;
	struct notify notify;
	int status;
	pid_t ended = 0;

	daemon_start(daemon, SYSTEM, NULL);
	open_for(daemon, &notify);
	fill(&notify);
	kill(daemon->pid, SIGTERM);
	for (int i = 0; i < 60000 && (ended = waitpid(daemon->pid, &status, WNOHANG)) == 0; i++)
		usleep(1000);
	if (ended == 0)
		kill(daemon->pid, SIGKILL);
	assert_int_equal(ended, daemon->pid);
	daemon->pid = 0;
	notify_close(&notify);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(without_a_service_manager_nothing_happens),
	DAEMON_TEST(one_that_does_not_read_is_not_waited_for),
	DAEMON_TEST(one_that_was_replaced_hears_what_follows),
	DAEMON_TEST(a_watchdog_is_fed_twice_in_its_time),
	DAEMON_TEST(the_daemon_feeds_its_watchdog),
	DAEMON_TEST(the_daemon_ends_though_nobody_reads),
};

TESTS_MAIN(tests)
