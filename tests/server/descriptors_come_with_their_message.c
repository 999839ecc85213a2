/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/server/words.h"

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

static void too_many_end_it_and_are_closed(void **state)
{
	struct words words = words_start(WIRE_STREAM);
	alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(100 * sizeof(int))] = {0};
	struct cmsghdr *cmsg = (void *)control;
	uint32_t size = 4;
	struct iovec iov = {.iov_base = &size, .iov_len = 4};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	bool before[1024];

	(void)state;
	for (int i = 0; i < 1024; i++)
		before[i] = is_open(i) && i != words.wire->fd;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(100 * sizeof(int));
	assert_int_equal(sendmsg(words.client, &header, 0), 4);
	assert_int_equal(wire_receive(words.wire, &words_owner), -EPROTO);
	wire_close(words.wire, &words_owner);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(is_open(i), before[i]);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_has_its_own),
		cmocka_unit_test(a_full_ring_does_not_mix_them_up),
		cmocka_unit_test(in_mid_message_they_end_it_and_are_closed),
		cmocka_unit_test(too_many_end_it_and_are_closed),
		cmocka_unit_test(with_an_empty_packet_they_are_closed),
		cmocka_unit_test(answers_can_bring_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
