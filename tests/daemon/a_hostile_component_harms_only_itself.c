/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

/* Two well-behaved components, which must notice nothing. */
struct others {
	struct component a, b;
	uint64_t emitted;
};

static struct others others_open(struct daemon *daemon)
{
	daemon_start(daemon, SYSTEM, NULL);
	return (struct others){.a = component_open(daemon, "bell", "a", 0),
			       .b = component_open(daemon, "bell", "b", 0)};
}

static void others_still_work(struct others *others)
{
	component_emit(&others->a);
	component_wait_total(&others->b, ++others->emitted);
	component_emit(&others->b);
	component_wait_total(&others->a, others->emitted);
}

static void others_close(struct others *others, struct daemon *daemon)
{
	pid_t worker = daemon_worker(daemon);

	others_still_work(others);
	component_close(&others->a);
	component_close(&others->b);
	/* it was the same worker all the time: nothing has crashed it */
	assert_int_equal(daemon_worker(daemon), worker);
	assert_int_equal(daemon_stop(daemon), 0);
}

#define HEADER(type)                                                     \
	{                                                                \
		CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, type \
	}

static void wrong_messages_are_answered_and_end_the_connection(void **state)
{
	static const struct crossvm_component_request unterminated = {
		.header = HEADER(CROSSVM_COMPONENT_OPEN),
		.connection = "data5678901234567890123456789012345678901234567x",
	};
	static const struct crossvm_component_header headers[] = {
		HEADER(CROSSVM_COMPONENT_OPEN),
		HEADER(CROSSVM_COMPONENT_LIST),
		HEADER(CROSSVM_COMPONENT_EMIT),
		HEADER(CROSSVM_COMPONENT_OPENED),
		HEADER(CROSSVM_COMPONENT_ENTRY),
		HEADER(CROSSVM_COMPONENT_FAILED),
		HEADER(0),
		HEADER(0xffff),
	};
	struct crossvm_component_header header = HEADER(CROSSVM_COMPONENT_OPEN);
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	static char large[4096];
	int fd;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		fd = component_connect(daemon);
		component_send(fd, &headers[i], sizeof(headers[i]));
		component_failed(fd, -EPROTO);
	}
	fd = component_connect(daemon);
	component_send(fd, "x", 1);
	component_failed(fd, -EPROTO);
	fd = component_connect(daemon);
	component_send(fd, large, sizeof(large));
	component_failed(fd, -EPROTO);
	fd = component_connect(daemon);
	memcpy(large, &header, sizeof(header));
	component_send(fd, large, sizeof(large));
	component_failed(fd, -EPROTO);
	fd = component_connect(daemon);
	header.version++;
	component_send(fd, &header, sizeof(header));
	assert_string_equal(component_failed(fd, -EPROTO).message,
			    "version 2 of the component protocol; this crossvmd speaks 1");
	fd = component_connect(daemon);
	component_send(fd, &unterminated, sizeof(unterminated));
	component_failed(fd, -EPROTO);
	others_close(&others, daemon);
}

/* Noise, half of it behind a header that is right. */
static void noise_crashes_nothing(void **state)
{
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	unsigned int seed = 1;

	for (int i = 0; i < 3000; i++) {
		unsigned char noise[300];
		struct crossvm_component_header header = HEADER((uint16_t)(rand_r(&seed) % 4));
		int fd = component_connect(daemon);

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (unsigned char)rand_r(&seed);
		if (i % 2 == 0)
			memcpy(noise, &header, sizeof(header));
		/* a request whose names are right but for the access */
		if (i % 4 == 0)
			memcpy(noise + sizeof(header), "data\0", 5);
		component_send(fd, noise,
			       i % 3 == 0 ? sizeof(struct crossvm_component_request)
					  : 1 + (size_t)rand_r(&seed) % sizeof(noise));
		if (i % 100 == 0)
			others_still_work(&others);
		close(fd);
	}
	others_close(&others, daemon);
}

static void control_characters_in_names_are_not_repeated(void **state)
{
	struct daemon *daemon = *state;
	struct crossvm_component_failure failure;

	daemon_start(daemon, SYSTEM, NULL);
	failure = component_open_refused(daemon, "a\n\x1b[2J", "", 0, -ENOENT);
	assert_non_null(strstr(failure.message, "'a???2J'"));
	daemon_assert_log(daemon, "'a???2J'");
}

static void larger_than_any_message_is_cut_off(void **state)
{
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	static char huge[64 << 10];
	size_t num_fds;
	int fds[8];
	char end;
	int fd = component_connect(daemon);

	component_send(fd, huge, sizeof(huge));
	assert_int_equal(component_receive(fd, &end, sizeof(end), fds, &num_fds), 0);
	close(fd);
	fd = component_connect(daemon);
	assert_int_equal(send(fd, "", 0, MSG_NOSIGNAL), 0);
	assert_int_equal(component_receive(fd, &end, sizeof(end), fds, &num_fds), 0);
	close(fd);
	others_close(&others, daemon);
}

/* Send a message with descriptors. */
/* @return whether they were sent: from Linux 6.16 on the kernel refuses to. */
static bool send_fds(int fd, const void *data, size_t bytes, size_t num_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = bytes};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = CMSG_SPACE(num_fds * sizeof(int))};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	int fds[64];

	for (size_t i = 0; i < num_fds; i++)
		fds[i] = fd;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, num_fds * sizeof(int));
	if (sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)bytes)
		return true;
	assert_int_equal(errno, EPERM);
	return false;
}

static size_t count_fds(const struct daemon *daemon)
{
	char path[64];
	size_t count = 0;
	FILE *list;

	snprintf(path, sizeof(path), "ls /proc/%d/fd", (int)daemon->pid);
	list = popen(path, "re");
	assert_non_null(list);
	for (int c = fgetc(list); c != EOF; c = fgetc(list))
		count += c == '\n';
	pclose(list);
	return count;
}

static void descriptors_that_come_along_are_closed(void **state)
{
	static const struct crossvm_component_emit emit = {.header =
								   HEADER(CROSSVM_COMPONENT_EMIT)};
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	size_t before = count_fds(daemon);
	int fd;

	for (size_t i = 1; i <= 8; i++)
		if (!send_fds(others.a.socket, &emit, sizeof(emit), i))
			component_emit(&others.a);
	others.emitted += 8;
	component_wait_total(&others.b, 8);
	for (int i = 0; i < 8; i++)
		component_emit(&others.b);
	component_wait_total(&others.a, 8);
	while (count_fds(daemon) != before)
		usleep(1000);
	/* more than any message has */
	fd = component_connect(daemon);
	if (!send_fds(fd, &emit, sizeof(emit), 64))
		shutdown(fd, SHUT_RDWR);
	while (count_fds(daemon) != before)
		usleep(1000);
	close(fd);
	others_close(&others, daemon);
}

static void a_request_after_open_is_refused(void **state)
{
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	struct component c = component_open(daemon, "data", "c", ACCESS_RO);
	struct component d = component_open(daemon, "data", "c", ACCESS_RO);

	component_request(c.socket, CROSSVM_COMPONENT_OPEN, "data", "c", ACCESS_RO);
	component_failed(dup(c.socket), -EPROTO);
	component_request(d.socket, CROSSVM_COMPONENT_LIST, "", "", 0);
	component_failed(dup(d.socket), -EPROTO);
	component_close(&c);
	component_close(&d);
	others_close(&others, daemon);
}

/* A flood of emits, answered by nobody, and of lists that nobody reads. */
static void floods_and_slow_readers_hold_up_nobody(void **state)
{
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	struct component c = component_open(daemon, "data", "c", ACCESS_RO);
	int lazy = component_connect(daemon);

	fcntl(lazy, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 20000; i++) {
		static const struct crossvm_component_request list = {
			.header = HEADER(CROSSVM_COMPONENT_LIST)};

		component_emit(&c);
		if (send(lazy, &list, sizeof(list), MSG_NOSIGNAL) < 0)
			assert_int_equal(errno, EAGAIN);
		if (i % 1000 == 0)
			others_still_work(&others);
	}
	close(lazy);
	component_close(&c);
	others_close(&others, daemon);
}

static void a_thousand_idle_sockets_keep_nobody_out(void **state)
{
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	static int idle[1000];
	struct component c;

	for (int i = 0; i < 1000; i++)
		idle[i] = component_connect(daemon);
	c = component_open(daemon, "data", "c", ACCESS_RO);
	others_still_work(&others);
	for (int i = 0; i < 1000; i++)
		close(idle[i]);
	component_close(&c);
	others_close(&others, daemon);
}

/* 256 that have something open are as many as one user can have. */
static void too_many_are_told_so(void **state)
{
	struct daemon *daemon = *state;
	struct component opens[256];
	struct component late;
	char *system = NULL;
	size_t bytes;
	FILE *text = open_memstream(&system, &bytes);
	int fd;

	fputs("components: [{name: a}, {name: b}]\nconnections:\n", text);
	for (int i = 0; i < 32; i++)
		fprintf(text, "- {name: c%d, members: [{component: a}, {component: b}]}\n", i);
	fclose(text);
	daemon_start(daemon, system, NULL);
	free(system);
	for (int i = 0; i < 256; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i / 8);
		opens[i] = component_open(daemon, name, "a", 0);
	}
	fd = component_connect(daemon);
	assert_string_equal(
		component_failed(fd, -EBUSY).message,
		"user 0 has 256 connections open, or all users 1024, as many as can be; "
		"close some");
	component_close(&opens[17]);
	daemon_wait_log(daemon, "closed 'c2'");
	late = component_open(daemon, "c9", "b", 0);
	component_emit(&late);
	component_wait_total(&opens[9 * 8], 1);
	component_close(&late);
	for (int i = 0; i < 256; i++)
		if (i != 17)
			component_close(&opens[i]);
}

/* An eventfd shares its flags with whoever has it: a write to it can be made to wait. */
static void an_eventfd_made_to_wait_ends_its_owner_only(void **state)
{
	static const uint64_t full = UINT64_C(0xfffffffffffffffe);
	struct daemon *daemon = *state;
	struct others others = others_open(daemon);
	struct component c = component_open(daemon, "bell", "b", 0);
	uint64_t count;
	size_t num_fds;
	int fds[8];
	char end;

	/* empty it, then fill it */
	fcntl(c.event_fd, F_SETFL, O_NONBLOCK);
	if (read(c.event_fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(c.event_fd, &full, sizeof(full)), sizeof(full));
	fcntl(c.event_fd, F_SETFL, 0);
	others_still_work(&others);
	assert_int_equal(component_receive(c.socket, &end, sizeof(end), fds, &num_fds), 0);
	others_still_work(&others);
	component_close(&c);
	others_close(&others, daemon);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(wrong_messages_are_answered_and_end_the_connection),
	DAEMON_TEST(noise_crashes_nothing),
	DAEMON_TEST(control_characters_in_names_are_not_repeated),
	DAEMON_TEST(larger_than_any_message_is_cut_off),
	DAEMON_TEST(descriptors_that_come_along_are_closed),
	DAEMON_TEST(a_request_after_open_is_refused),
	DAEMON_TEST(floods_and_slow_readers_hold_up_nobody),
	DAEMON_TEST(a_thousand_idle_sockets_keep_nobody_out),
	DAEMON_TEST(too_many_are_told_so),
	DAEMON_TEST(an_eventfd_made_to_wait_ends_its_owner_only),
};

TESTS_MAIN(tests)
