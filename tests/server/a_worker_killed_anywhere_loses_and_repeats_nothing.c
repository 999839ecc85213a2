/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker counts messages (with a journal), keeps the descriptors that some bring, and answers
 * others. It is killed at an exact point, the test itself goes on in its place, and in the end
 * everything must have happened exactly once.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "tests/server/victim.h"
#include "tests/server/words.h"

#define MESSAGES 6

enum wish {
	COUNT,   /* no answer */
	KEEP,    /* keep the descriptor that comes with it */
	ANSWER,  /* echo */
	DESCEND, /* answer in three steps */
	GIVE,    /* answer with a descriptor */
};

static const enum wish wishes[MESSAGES] = {COUNT, ANSWER, KEEP, DESCEND, COUNT, GIVE};

struct word {
	uint32_t size;
	uint32_t wish;
	uint32_t number;
};

/* In shared memory. */
struct arena {
	struct wire wire;
	uint64_t counted;
	struct {
		uint64_t id;
		uint64_t value;
	} journal;
	int kept; /* -1: none */
	int given;
};

static void count_once(struct arena *arena, uint64_t id)
{
	if (arena->journal.id != id) {
		arena->journal.value = arena->counted + 1;
		atomic_signal_fence(memory_order_seq_cst);
		arena->journal.id = id;
	}
	atomic_signal_fence(memory_order_seq_cst);
	arena->counted = arena->journal.value;
}

static void serve_one(struct arena *arena, struct wire_message *message)
{
	struct wire *wire = &arena->wire;
	struct word word;
	uint32_t *answer;

	memcpy(&word, message->data, sizeof(word));
	if (message->step == 0)
		count_once(arena, message->id);
	if (word.wish == KEEP) {
		arena->kept = message->fds[0];
		message->kept = 1;
	}
	if (word.wish == COUNT || word.wish == KEEP) {
		wire_done(wire, &words_owner, message);
		return;
	}
	answer = (uint32_t *)(void *)wire_answer(wire);
	answer[0] = word.number;
	answer[1] = message->step;
	wire_answered(wire, &words_owner, message, 8, &arena->given, word.wish == GIVE,
		      word.wish == DESCEND && message->step < 2);
}

static void serve(void *context)
{
	struct arena *arena = context;
	struct wire_message message;

	wire_resume(&arena->wire, &words_owner);
	wire_flush(&arena->wire);
	do {
		while (wire_next(&arena->wire, words_size, &message) == 1)
			serve_one(arena, &message);
	} while (wire_receive(&arena->wire, &words_owner) == 0);
}

static unsigned int open_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void send_all(int client, uint32_t first)
{
	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct word word = {sizeof(word), wishes[i], first + i};
		int fd = wishes[i] == KEEP ? eventfd(1000 + first, EFD_CLOEXEC) : -1;

		assert_int_equal(words_send(client, &word, sizeof(word), fd), sizeof(word));
		if (fd >= 0)
			close(fd);
	}
}

/*
 * An answer with a descriptor waits until all before it has been read, if a process may have sent one
 * that was not: then it comes in the next turn.
 */
static void expect_answer(struct arena *arena, int client, uint32_t number, uint32_t step,
			  bool with_fd)
{
	uint64_t control[CMSG_SPACE(sizeof(int)) / 8];
	uint32_t answer[2];
	struct iovec iov = {.iov_base = answer, .iov_len = sizeof(answer)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;
	ssize_t count = recvmsg(client, &message, MSG_DONTWAIT);
	int fd;

	if (count < 0 && with_fd) {
		assert_int_equal(wire_events(&arena->wire), EPOLLOUT | EPOLLET);
		assert_int_equal(wire_flush(&arena->wire), 0);
		count = recvmsg(client, &message, MSG_DONTWAIT);
	}
	assert_int_equal(count, sizeof(answer));
	assert_int_equal(answer[0], number);
	assert_int_equal(answer[1], step);
	cmsg = CMSG_FIRSTHDR(&message);
	assert_int_equal(cmsg != NULL, with_fd);
	if (!cmsg)
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	close(fd);
}

static void expect_all(struct arena *arena, int client, uint32_t first)
{
	for (uint32_t i = 0; i < MESSAGES; i++)
		for (uint32_t step = 0; step < 3; step++)
			if (wishes[i] == DESCEND ||
			    (step == 0 && (wishes[i] == ANSWER || wishes[i] == GIVE)))
				expect_answer(arena, client, first + i, step, wishes[i] == GIVE);
}

static struct victim_point once_of_kind(enum wire_kind kind, struct victim_point point)
{
	const unsigned int before = open_fds();
	struct arena *arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct victim_point lived;
	uint64_t value;
	char byte;
	int pair[2];

	assert_ptr_not_equal(arena, MAP_FAILED);
	assert_int_equal(
		socketpair(AF_UNIX, kind == WIRE_STREAM ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair),
		0);
	arena->kept = -1;
	arena->given = eventfd(0, EFD_CLOEXEC);
	wire_init(&arena->wire);
	wire_open(&arena->wire, pair[0], kind);
	send_all(pair[1], 100);

	lived = victim_run(serve, arena, point);
	serve(arena);

	assert_int_equal(arena->counted, MESSAGES);
	expect_all(arena, pair[1], 100);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(read(arena->kept, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 1100);

	/* And all of it works as before. */
	close(arena->kept);
	send_all(pair[1], 200);
	serve(arena);
	assert_int_equal(arena->counted, 2 * MESSAGES);
	expect_all(arena, pair[1], 200);

	close(arena->kept);
	close(arena->given);
	wire_close(&arena->wire, &words_owner);
	close(pair[1]);
	munmap(arena, sizeof(*arena));
	assert_int_equal(open_fds(), before);
	return lived;
}

static struct victim_point stream_once(struct victim_point point)
{
	return once_of_kind(WIRE_STREAM, point);
}

static struct victim_point packets_once(struct victim_point point)
{
	return once_of_kind(WIRE_PACKETS, point);
}

static void on_a_stream(void **state)
{
	(void)state;
	victim_everywhere(stream_once, 6);
}

static void with_packets(void **state)
{
	(void)state;
	victim_everywhere(packets_once, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_a_stream),
		cmocka_unit_test(with_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
