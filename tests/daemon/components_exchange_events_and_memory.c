/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void every_event_is_counted_for_all_others(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b, c;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "data", "a", ACCESS_RW);
	b = component_open(daemon, "data", "b", ACCESS_RO);
	c = component_open(daemon, "data", "c", 0);
	for (int i = 0; i < 1000; i++)
		component_emit(&a);
	for (int i = 0; i < 500; i++)
		component_emit(&b);
	component_wait_total(&a, 500);
	component_wait_total(&b, 1000);
	component_wait_total(&c, 1500);
	component_close(&a);
	component_close(&b);
	component_close(&c);
	assert_int_equal(daemon_stop(daemon), 0);
}

/* Processes that share a membership emit and receive as one member. */
static void several_processes_can_be_one_member(void **state)
{
	struct daemon *daemon = *state;
	struct component opens[8], b;
	struct crossvm_component_failure failure;

	daemon_start(daemon, SYSTEM, NULL);
	b = component_open(daemon, "bell", "b", 0);
	for (int i = 0; i < 8; i++)
		opens[i] = component_open(daemon, "bell", "a", 0);
	failure = component_open_refused(daemon, "bell", "a", 0, -EBUSY);
	assert_string_equal(failure.message,
			    "8 processes have 'bell' open as 'a' already; close one of them");
	for (int i = 0; i < 8; i++)
		component_emit(&opens[i]);
	component_wait_total(&b, 8);
	component_emit(&b);
	for (int i = 0; i < 8; i++)
		component_wait_total(&opens[i], 1);
	/* what one of them emitted stays counted when it goes, and another one takes its place */
	component_close(&opens[3]);
	component_wait_peer(&b, 0, CROSSVM_PEER_OPEN, 1);
	daemon_wait_log(daemon, "closed 'bell'");
	opens[3] = component_open(daemon, "bell", "a", 0);
	component_emit(&opens[3]);
	component_wait_total(&b, 9);
	for (int i = 0; i < 8; i++)
		component_close(&opens[i]);
	component_close(&b);
}

static void peers_are_seen_coming_and_going(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "data", "a", ACCESS_RW);
	assert_int_equal(a.page->member_id, 0);
	assert_int_equal(a.page->member_count, 3);
	assert_int_equal(a.page->connection_id, 1);
	assert_int_equal(a.page->access, ACCESS_RW);
	assert_int_equal(a.page->dataport_bytes, 12288);
	assert_int_equal(a.page->features, CROSSVM_FEATURE_STATUS_PAGE | CROSSVM_FEATURE_PEERS |
						   CROSSVM_FEATURE_DATAPORT |
						   CROSSVM_FEATURE_WRITERS);
	assert_int_equal(a.page->writers, 1);
	assert_string_equal((const char *)a.page->name, "data");
	assert_string_equal((const char *)a.page->peer_names[2], "c");
	component_wait_peer(&a, 0, CROSSVM_PEER_OPEN, 1);
	component_wait_peer(&a, 1, CROSSVM_PEER_ABSENT, 0);
	for (uint32_t i = 1; i <= 3; i++) {
		uint32_t generation = a.page->generation;

		b = component_open(daemon, "data", "b", 0);
		component_wait_peer(&a, 1, CROSSVM_PEER_OPEN, i);
		while (__atomic_load_n(&a.page->generation, __ATOMIC_ACQUIRE) == generation)
			usleep(1000);
		component_close(&b);
		component_wait_peer(&a, 1, CROSSVM_PEER_ABSENT, i);
	}
	component_close(&a);
}

static void memory_is_shared_and_protected(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b;
	char path[64];
	char *writable;
	const char *readable;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "data", "a", ACCESS_RW);
	b = component_open(daemon, "data", "b", ACCESS_RO);
	writable = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, a.dataport_fd, 0);
	readable = mmap(NULL, 12288, PROT_READ, MAP_SHARED, b.dataport_fd, 0);
	assert_true(writable != MAP_FAILED && readable != MAP_FAILED);
	strcpy(writable + 12000, "through shared memory");
	assert_string_equal(readable + 12000, "through shared memory");

	/* what is read-only cannot be mapped writable, and nothing can change its size */
	assert_true(mmap(NULL, 12288, PROT_WRITE, MAP_SHARED, b.dataport_fd, 0) == MAP_FAILED);
	assert_true(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, b.page_fd, 0) == MAP_FAILED);
	assert_int_equal(ftruncate(a.dataport_fd, 4096), -1);
	assert_int_equal(ftruncate(a.dataport_fd, 1 << 20), -1);
	/* not even root maps a status page for writing */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", b.page_fd);
	if (geteuid() == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_true(fd < 0 ||
			    mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
		if (fd >= 0)
			close(fd);
	}
	munmap(writable, 12288);
	munmap((void *)readable, 12288);
	component_close(&a);
	component_close(&b);
}

static void what_is_not_allowed_is_refused_with_a_sentence(void **state)
{
	struct daemon *daemon = *state;
	struct crossvm_component_failure failure;

	daemon_start(daemon, SYSTEM, NULL);
	failure = component_open_refused(daemon, "data", "b", ACCESS_RW, -EACCES);
	assert_string_equal(failure.message,
			    "'b' is read-only in connection 'data'; open it for reading only, or "
			    "make it read-write in the system file");
	failure = component_open_refused(daemon, "dta", "b", ACCESS_RO, -ENOENT);
	assert_string_equal(failure.message, "there is no connection 'dta' in this system; "
					     "'crossvm list' shows those that are");
	failure = component_open_refused(daemon, "data", "", ACCESS_RO, -EINVAL);
	assert_string_equal(failure.message, "in connection 'data' you may be 'a' or 'b'; say "
					     "which (CROSSVM_COMPONENT)");
	component_open_refused(daemon, "bell", "c", 0, -EACCES);
	component_open_refused(daemon, "data", "x", 0, -EACCES);
	component_open_refused(daemon, "data", "a", 4, -EINVAL);
	component_open_refused(daemon, "", "", 0, -ENOENT);
}

static void all_that_can_be_opened_is_listed(void **state)
{
	static const char *const expected[][2] = {{"data", "a"}, {"data", "b"}, {"data", "c"},
						  {"bell", "a"}, {"bell", "b"}, {"", ""}};
	struct daemon *daemon = *state;
	struct crossvm_component_entry entry;
	size_t num_fds;
	int fds[8];
	int fd;

	daemon_start(daemon, SYSTEM, NULL);
	fd = component_connect(daemon);
	component_request(fd, CROSSVM_COMPONENT_LIST, "", "", 0);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(component_receive(fd, &entry, sizeof(entry), fds, &num_fds),
				 sizeof(entry));
		assert_int_equal(entry.header.type, CROSSVM_COMPONENT_ENTRY);
		assert_string_equal(entry.connection, expected[i][0]);
		assert_string_equal(entry.component, expected[i][1]);
	}
	component_request(fd, CROSSVM_COMPONENT_LIST, "", "c", 0);
	component_receive(fd, &entry, sizeof(entry), fds, &num_fds);
	assert_string_equal(entry.component, "c");
	assert_int_equal(entry.dataport_bytes, 12288);
	assert_int_equal(entry.member_access, ACCESS_RO);
	component_receive(fd, &entry, sizeof(entry), fds, &num_fds);
	assert_string_equal(entry.connection, "");
	close(fd);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(every_event_is_counted_for_all_others),
	DAEMON_TEST(several_processes_can_be_one_member),
	DAEMON_TEST(peers_are_seen_coming_and_going),
	DAEMON_TEST(memory_is_shared_and_protected),
	DAEMON_TEST(what_is_not_allowed_is_refused_with_a_sentence),
	DAEMON_TEST(all_that_can_be_opened_is_listed),
};

TESTS_MAIN(tests)
