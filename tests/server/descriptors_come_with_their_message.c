/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/server/words.h"

#define MAX_FDS 1024

/* A descriptor that can be recognised: a memory fd of that many bytes. */
static int numbered_fd(off_t number)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, number), 0);
	return fd;
}

static off_t number_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_size;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

struct search {
	int fd;
	bool found;
};

static void compare(void *context, int fd)
{
	struct search *search = context;

	search->found |= fd == search->fd;
}

static bool is_marked(const struct wire *wire, int fd)
{
	struct search search = {.fd = fd};

	wire_mark(wire, compare, &search);
	return search.found;
}

static void send_numbered(struct words *words, uint32_t size, off_t number)
{
	unsigned char bytes[256] = {0};
	int fd = number ? numbered_fd(number) : -1;

	memcpy(bytes, &size, 4);
	assert_int_equal(words_send(words->client, bytes, size, fd), size);
	if (fd >= 0)
		close(fd);
}

static void each_message_has_its_own(void **state)
{
	static const off_t numbers[] = {0, 0, 11, 12, 0, 13, 0};
	struct words words = words_start(WIRE_STREAM);
	struct wire_message message;
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < 7; i++)
		send_numbered(&words, 40, numbers[i]);
	while (seen < 7) {
		assert_int_equal(wire_receive(words.wire, &words_owner), 0);
		while (wire_next(words.wire, words_size, &message) == 1) {
			int fd = message.num_fds ? message.fds[0] : -1;

			assert_int_equal(message.num_fds, numbers[seen] ? 1 : 0);
			if (numbers[seen])
				assert_int_equal(number_of(fd), numbers[seen]);
			message.kept = numbers[seen] == 12;
			if (fd >= 0)
				assert_true(is_marked(words.wire, fd));
			wire_done(words.wire, &words_owner, &message);
			if (fd >= 0)
				assert_int_equal(is_open(fd), numbers[seen] == 12);
			if (numbers[seen] == 12)
				close(fd);
			seen++;
		}
	}
	words_end(&words);
}

/* Whatever the number of bytes that are before them in the ring when it is full. */
static void a_full_ring_does_not_mix_them_up(void **state)
{
	(void)state;
	for (uint32_t first = 8; first < 80; first++) {
		struct words words = words_start(WIRE_STREAM);
		struct wire_message message;
		uint32_t left = WIRE_RING_BYTES - 40;
		unsigned int seen = 0;

		/* The ring is filled up by this and the beginning of the next. */
		send_numbered(&words, first, 0);
		left -= first;
		for (; left > 200; left -= 100)
			send_numbered(&words, 100, 0);
		if (left > 8)
			send_numbered(&words, left, 0);
		send_numbered(&words, 81, 1001);
		send_numbered(&words, 81, 1002);
		send_numbered(&words, 81, 1003);
		while (seen < 3) {
			assert_int_equal(wire_receive(words.wire, &words_owner), 0);
			while (wire_next(words.wire, words_size, &message) == 1) {
				if (message.bytes == 81) {
					assert_int_equal(message.num_fds, 1);
					assert_int_equal(number_of(message.fds[0]), 1001 + seen);
					seen++;
				}
				wire_done(words.wire, &words_owner, &message);
			}
		}
		words_end(&words);
	}
}

static void in_mid_message_they_end_it_and_are_closed(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	unsigned char bytes[40] = {40};
	const int fd = numbered_fd(5);
	const int next = dup(fd);
	struct wire_message message;

	(void)state;
	close(next);
	assert_int_equal(words_send(words.client, bytes, 20, -1), 20);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, words_size, &message), 0);
	assert_int_equal(words_send(words.client, bytes + 20, 20, fd), 20);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_true(is_open(next));
	assert_int_equal(wire_next(words.wire, words_size, &message), -EPROTO);
	words_end(&words);
	assert_false(is_open(next));
	close(fd);
}

/* Which numbers are open; without the one that is not counted. */
static void note_open(bool open[MAX_FDS], int without)
{
	for (int i = 0; i < MAX_FDS; i++)
		open[i] = is_open(i) && i != without;
}

static void expect_open(const bool open[MAX_FDS])
{
	for (int i = 0; i < MAX_FDS; i++)
		assert_int_equal(is_open(i), open[i]);
}

/* The descriptor, so many times. */
static ssize_t send_many(int client, const void *bytes, size_t count, int fd, unsigned int num_fds)
{
	alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(WIRE_RECEIVE_FDS * sizeof(int))] =
		{0};
	struct cmsghdr *cmsg = (void *)control;
	unsigned char copy[64];
	struct iovec iov = {.iov_base = copy, .iov_len = count};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = CMSG_SPACE(num_fds * sizeof(int))};

	memcpy(copy, bytes, count);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
	for (unsigned int i = 0; i < num_fds; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(fd));
	return sendmsg(client, &header, 0);
}

static unsigned int count_open(const bool before[MAX_FDS])
{
	unsigned int count = 0;

	for (int i = 0; i < MAX_FDS; i++)
		count += is_open(i) && !before[i];
	return count;
}

/*
 * More than a message may bring, up to what the kernel can deliver: all of them are received, for what it
 * drops itself it may wait for their sender, and then closed.
 */
static void too_many_end_it_and_are_closed(void **state)
{
	static const unsigned int counts[] = {WIRE_MAX_FDS + 1, 100, WIRE_RECEIVE_FDS};
	const uint32_t size = 4;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		for (int kind = 0; kind < 2; kind++) {
			struct words words = words_start(kind ? WIRE_PACKETS : WIRE_STREAM);
			const int fd = numbered_fd(5);
			bool before[MAX_FDS], after[MAX_FDS];

			note_open(before, -1);
			note_open(after, words.wire->fd);
			assert_int_equal(send_many(words.client, &size, 4, fd, counts[i]), 4);
			assert_int_equal(wire_receive(words.wire, &words_owner), -EPROTO);
			assert_int_equal(wire_receive(words.wire, &words_owner), -EPROTO);
			assert_int_equal(count_open(before), counts[i]);
			wire_close(words.wire, &words_owner);
			expect_open(after);
			close(fd);
			words_end(&words);
		}
	}
}

/* On top of those that wait for the rest of their message. */
static void as_many_more_in_mid_message_are_closed_too(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	const unsigned char bytes[40] = {40};
	const int fd = numbered_fd(5);
	bool before[MAX_FDS], after[MAX_FDS];
	struct wire_message message;

	(void)state;
	note_open(before, -1);
	note_open(after, words.wire->fd);
	assert_int_equal(send_many(words.client, bytes, 20, fd, WIRE_MAX_FDS), 20);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, words_size, &message), 0);
	assert_int_equal(send_many(words.client, bytes + 20, 20, fd, WIRE_RECEIVE_FDS), 20);
	assert_int_equal(wire_receive(words.wire, &words_owner), -EPROTO);
	assert_int_equal(count_open(before), WIRE_MAX_FDS + WIRE_RECEIVE_FDS);
	/* Another process knows them all too. */
	assert_int_equal(wire_resume(words.wire, &words_owner), 0);
	for (int i = 0; i < MAX_FDS; i++)
		if (is_open(i) && !before[i])
			assert_true(is_marked(words.wire, i));
	assert_int_equal(wire_next(words.wire, words_size, &message), -EPROTO);
	wire_close(words.wire, &words_owner);
	expect_open(after);
	close(fd);
	words_end(&words);
}

static void with_an_empty_packet_they_are_closed(void **state)
{
	struct words words = words_start(WIRE_PACKETS);
	const int fd = numbered_fd(5);
	const int next = dup(fd);

	(void)state;
	close(next);
	assert_int_equal(words_send(words.client, "", 0, fd), 0);
	assert_int_equal(wire_receive(words.wire, &words_owner), -ECONNRESET);
	words_end(&words);
	assert_false(is_open(next));
	close(fd);
}

static void answers_can_bring_some(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	const int fds[] = {numbered_fd(21), numbered_fd(22), numbered_fd(23)};
	unsigned char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct wire_message message;
	int received[3];

	(void)state;
	send_numbered(&words, 40, 0);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, words_size, &message), 1);
	wire_answer(words.wire)[0] = 7;
	assert_int_equal(wire_answered(words.wire, &words_owner, &message, 1, fds, 3, false), 0);
	assert_int_equal(recvmsg(words.client, &header, 0), 1);
	assert_int_equal(CMSG_FIRSTHDR(&header)->cmsg_len, CMSG_LEN(sizeof(received)));
	memcpy(received, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(received));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(number_of(received[i]), 21 + i);
		close(received[i]);
		close(fds[i]);
	}
	words_end(&words);
}

/* Have a message answered with a descriptor. */
static int answer_with(struct words *words, int fd)
{
	struct wire_message message;

	send_numbered(words, 40, 0);
	assert_int_equal(wire_receive(words->wire, &words_owner), 0);
	assert_int_equal(wire_next(words->wire, words_size, &message), 1);
	wire_answer(words->wire)[0] = 7;
	return wire_answered(words->wire, &words_owner, &message, 1, &fd, fd >= 0, false);
}

static void take(int client, bool with_fd)
{
	alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))];
	unsigned char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;
	int fd;

	assert_int_equal(recvmsg(client, &header, MSG_DONTWAIT), 1);
	cmsg = CMSG_FIRSTHDR(&header);
	assert_int_equal(cmsg != NULL, with_fd);
	if (!cmsg)
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	close(fd);
}

/* A peer has what was sent with one answer before the next may bring more; others do not wait for it. */
static void an_answer_with_some_waits_until_those_before_were_taken(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	const int fd = numbered_fd(5);
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
	struct wire_message message;

	(void)state;
	assert_int_equal(answer_with(&words, fd), 0);
	assert_false(wire_has_taken_all(words.wire));
	assert_int_equal(answer_with(&words, -1), 0); /* without it goes out all the same */
	assert_int_equal(wire_events(words.wire), EPOLLIN);
	assert_int_equal(answer_with(&words, fd), -EAGAIN);
	assert_true(wire_is_answering(words.wire));
	assert_true(wire_has_work(words.wire));
	assert_int_equal(wire_events(words.wire), EPOLLOUT | EPOLLET);
	/* There is room all the time, but only each read is an event. */
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, words.wire->fd, &event), 0);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 0);
	send_numbered(&words, 40, 0);
	assert_int_equal(wire_receive(words.wire, &words_owner), 0);
	assert_int_equal(wire_next(words.wire, words_size, &message), 0);
	take(words.client, true);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
	assert_int_equal(wire_flush(words.wire), -EAGAIN);
	assert_int_equal(recv(words.client, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT), 1);
	take(words.client, false);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
	assert_int_equal(wire_flush(words.wire), 0);
	assert_int_equal(wire_events(words.wire), EPOLLIN);
	assert_int_equal(wire_next(words.wire, words_size, &message), 1);
	take(words.client, true);
	assert_true(wire_has_taken_all(words.wire));
	close(epoll);
	close(fd);
	words_end(&words);
}

/* While it parts: each shutdown is an event, which would never end if one led to the next. */
static void one_that_does_not_take_them_is_shut_down_once(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	const int fd = numbered_fd(5);
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLOUT | EPOLLET};

	(void)state;
	assert_int_equal(answer_with(&words, fd), 0);
	wire_shut_down(words.wire);
	assert_false(wire_has_taken_all(words.wire));
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, words.wire->fd, &event), 0);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
	wire_shut_down(words.wire);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 0);
	take(words.client, true);
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
	assert_true(wire_has_taken_all(words.wire));
	close(epoll);
	close(fd);
	words_end(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_has_its_own),
		cmocka_unit_test(a_full_ring_does_not_mix_them_up),
		cmocka_unit_test(in_mid_message_they_end_it_and_are_closed),
		cmocka_unit_test(too_many_end_it_and_are_closed),
		cmocka_unit_test(as_many_more_in_mid_message_are_closed_too),
		cmocka_unit_test(with_an_empty_packet_they_are_closed),
		cmocka_unit_test(answers_can_bring_some),
		cmocka_unit_test(an_answer_with_some_waits_until_those_before_were_taken),
		cmocka_unit_test(one_that_does_not_take_them_is_shut_down_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
