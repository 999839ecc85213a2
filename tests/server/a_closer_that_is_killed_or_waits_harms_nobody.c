/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test is the worker and the holder; closers are processes that share its descriptors. One is killed
 * at an exact point, or waits for as long as whoever made a descriptor likes: a TCP socket lingers while
 * its peer does not read, and these closers are not interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "server/closing.h"
#include "tests/server/victim.h"

#define MAX_FDS    1024u
#define MARKED     4
#define PATIENCE   10000 /* ms */
#define STUBBORN   7u    /* an owner whose descriptors do not close */
#define OTHER      8u
#define EVENTFD_OF 1000u

struct rig {
	struct arena *arena;
	struct closing closing;
	pid_t closers[CLOSERS];
};

static struct rig *rig_start(void)
{
	static struct rig rig;

	rig = (struct rig){.arena = arena_create(1 << 20)};
	assert_non_null(rig.arena);
	assert_int_equal(closing_create(&rig.closing, rig.arena, MAX_FDS), 0);
	rig.closing.closers = true;
	return &rig;
}

static void start_closer(struct rig *rig, unsigned int number)
{
	closing_started(&rig->closing, number);
	rig->closers[number] = victim_clone();
	assert_true(rig->closers[number] >= 0);
	if (rig->closers[number])
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	closing_work(&rig->closing, number);
	syscall(SYS_exit_group, 0);
}

static void rig_end(struct rig *rig)
{
	for (unsigned int i = 0; i < CLOSERS; i++)
		if (rig->closers[i] > 0) {
			kill(rig->closers[i], SIGKILL);
			waitpid(rig->closers[i], NULL, 0);
		}
	assert_int_equal(closing_pending(&rig->closing), 0);
	closing_destroy(&rig->closing);
	arena_destroy(rig->arena);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static unsigned int count_open(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < (int)MAX_FDS; fd++)
		count += is_open(fd);
	return count;
}

/* Until its last writer has gone, or not: */
static bool has_ended(int pipe_end, int timeout_ms)
{
	struct pollfd end = {.fd = pipe_end, .events = POLLIN};

	return poll(&end, 1, timeout_ms) == 1 && end.revents & POLLHUP;
}

/* The worker, until nothing waits to be closed. */
static void reap_all(struct rig *rig)
{
	struct pollfd done = {.fd = rig->closing.done, .events = POLLIN};

	while (closing_pending(&rig->closing)) {
		assert_int_equal(poll(&done, 1, PATIENCE), 1);
		closing_reap(&rig->closing);
	}
}

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void a_number_is_not_used_before_its_tombstone_is_closed(void **state)
{
	struct rig *rig = rig_start();
	int ends[2], next;

	(void)state;
	start_closer(rig, 0);
	assert_int_equal(pipe(ends), 0);
	closing_add(&rig->closing, ends[1], OTHER);
	closing_add(&rig->closing, ends[1], OTHER); /* repeated, by a process that goes on */
	assert_true(closing_has(&rig->closing, ends[1]));
	assert_int_equal(closing_pending(&rig->closing), 1);
	assert_int_equal(closing_pending_of(&rig->closing, OTHER), 1);
	assert_int_equal(closing_pending_of(&rig->closing, STUBBORN), 0);
	assert_false(has_ended(ends[0], 0));
	assert_false(closing_flush(&rig->closing));
	assert_true(has_ended(ends[0], PATIENCE));
	assert_true(is_open(ends[1]));
	assert_true(closing_has(&rig->closing, ends[1]));
	next = dup(ends[0]);
	assert_int_not_equal(next, ends[1]);
	close(next);
	reap_all(rig);
	assert_false(is_open(ends[1]));
	assert_false(closing_has(&rig->closing, ends[1]));
	next = dup(ends[0]);
	assert_int_equal(next, ends[1]);
	close(next);
	close(ends[0]);
	rig_end(rig);
}

/* Descriptors of the arena are taken from where they stand, also if this was begun before. */
static void what_was_marked_is_forgotten(void **state)
{
	struct rig *rig = rig_start();
	int ends[2], slot, none = -1;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	slot = ends[1];
	closing_take(&rig->closing, &none, OTHER);
	closing_forget(&rig->closing, &slot);
	assert_int_equal(slot, ends[1]);
	closing_take(&rig->closing, &slot, OTHER);
	assert_int_equal(slot, -1);
	slot = ends[1]; /* as if it had died before forgetting it */
	closing_forget(&rig->closing, &slot);
	assert_int_equal(slot, -1);
	start_closer(rig, 0);
	closing_resume(&rig->closing);
	assert_true(has_ended(ends[0], PATIENCE));
	reap_all(rig);
	close(ends[0]);
	rig_end(rig);
}

/* Died between closing a tombstone and noting that: nobody else may get its number. */
static void a_number_that_is_free_and_marked_is_taken(void **state)
{
	struct rig *rig = rig_start();
	int ends[2], next;

	(void)state;
	start_closer(rig, 0);
	assert_int_equal(pipe(ends), 0);
	closing_add(&rig->closing, ends[1], OTHER);
	closing_flush(&rig->closing);
	assert_true(has_ended(ends[0], PATIENCE));
	pause_ms(50); /* so that its mark says that it is a tombstone */
	close(ends[1]);
	assert_int_equal(closing_renew(&rig->closing), 0);
	assert_true(is_open(ends[1]));
	next = dup(ends[0]);
	assert_int_not_equal(next, ends[1]);
	closing_resume(&rig->closing);
	reap_all(rig);
	assert_false(is_open(ends[1]));
	assert_true(is_open(next));
	close(next);
	close(ends[0]);
	rig_end(rig);
}

/* What the killed one does; it ends since another one is idle. */
static void work_as_closer_0(void *context)
{
	struct rig *rig = context;

	closing_work(&rig->closing, 0);
}

static void wait_until_idle(const struct rig *rig)
{
	char path[40], text[2000] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)rig->closers[1]);
	for (int i = 0; i < PATIENCE; i++) {
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		const ssize_t bytes = read(fd, text, sizeof(text) - 1);

		close(fd);
		/* While it runs, that is what this says, in a word. */
		if (bytes > 0 && text[0] != 'r' && strtol(text, NULL, 10) == SYS_read)
			return;
		pause_ms(1);
	}
	fail();
}

static struct victim_point once(struct victim_point point, bool reuse)
{
	const unsigned int before = count_open();
	struct rig *rig = rig_start();
	int ends[MARKED][2], others[MARKED];
	struct victim_point lived;
	unsigned int reused;
	uint64_t value;

	/* It has looked once, and sleeps until it is told of more. */
	start_closer(rig, 1);
	wait_until_idle(rig);
	for (int i = 0; i < MARKED; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
		assert_int_equal(write(ends[i][0], "unread", 6), 6);
		if (i % 2)
			closing_take_socket(&rig->closing, &(int){ends[i][1]}, OTHER);
		else
			closing_add(&rig->closing, ends[i][1], OTHER);
	}
	closing_started(&rig->closing, 0);
	lived = victim_run(work_as_closer_0, rig, point);

	/* If the worker goes on meanwhile, it uses the numbers that are free again. */
	reused = reuse ? closing_reap(&rig->closing) : 0;
	for (unsigned int i = 0; i < reused; i++)
		others[i] = eventfd(EVENTFD_OF + i, EFD_CLOEXEC | EFD_NONBLOCK);
	closing_ended(&rig->closing, 0);
	reap_all(rig);
	for (int i = 0; i < MARKED; i++) {
		assert_true(has_ended(ends[i][0], 0));
		close(ends[i][0]);
	}
	for (unsigned int i = 0; i < reused; i++) {
		assert_int_equal(read(others[i], &value, sizeof(value)), sizeof(value));
		assert_int_equal(value, EVENTFD_OF + i);
		close(others[i]);
	}
	rig_end(rig);
	assert_int_equal(count_open(), before);
	return lived;
}

static struct victim_point and_reuse(struct victim_point point)
{
	return once(point, true);
}

static struct victim_point and_wait(struct victim_point point)
{
	return once(point, false);
}

static void one_that_is_killed_is_replaced(void **state)
{
	(void)state;
	victim_everywhere(and_reuse, 2);
	victim_everywhere(and_wait, 2);
}

/* The worker is killed, and the test goes on in its place; closers live. */

struct working {
	struct rig *rig;
	int *slots; /* in the arena */
};

static void work(void *context)
{
	const struct working *working = context;
	struct closing *closing = &working->rig->closing;
	int own;

	if (closing_renew(closing))
		abort();
	own = eventfd(EVENTFD_OF, EFD_CLOEXEC | EFD_NONBLOCK); /* a process has some of its own */
	for (int i = 0; i < MARKED; i++)
		closing_forget(closing, &working->slots[i]);
	closing_resume(closing);
	for (int i = 0; i < MARKED; i++)
		closing_take(closing, &working->slots[i], OTHER);
	closing_flush(closing);
	reap_all(working->rig);
	closing_add(closing, own, OTHER);
	closing_flush(closing);
	reap_all(working->rig);
}

static struct victim_point worker_once(struct victim_point point)
{
	const unsigned int before = count_open();
	struct rig *rig = rig_start();
	struct working working = {.rig = rig,
				  .slots = arena_allocate(rig->arena, MARKED * sizeof(int))};
	struct victim_point lived;
	int ends[MARKED][2], first, own;
	uint64_t value;

	start_closer(rig, 0);
	for (int i = 0; i < MARKED; i++) {
		assert_int_equal(pipe(ends[i]), 0);
		working.slots[i] = ends[i][1];
	}
	first = dup(0); /* what it opens gets numbers from here on, if it has not closed any */
	close(first);
	lived = victim_run(work, &working, point);

	assert_int_equal(closing_renew(&rig->closing), 0);
	own = eventfd(EVENTFD_OF + 1, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < MARKED; i++)
		closing_forget(&rig->closing, &working.slots[i]);
	closing_resume(&rig->closing);
	for (int i = 0; i < MARKED; i++)
		closing_take(&rig->closing, &working.slots[i], OTHER);
	closing_flush(&rig->closing);
	reap_all(rig);
	for (int i = 0; i < MARKED; i++) {
		assert_true(has_ended(ends[i][0], 0));
		close(ends[i][0]);
	}
	assert_int_equal(read(own, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, EVENTFD_OF + 1);
	close(own);
	/* Its own descriptor is found by being nobody's, which is not for closing.h to do. */
	if (is_open(first) && first != own)
		close(first);
	rig_end(rig);
	assert_int_equal(count_open(), before);
	return lived;
}

static void a_worker_that_is_killed_closes_nothing_else(void **state)
{
	(void)state;
	victim_everywhere(worker_once, 2);
}

/* A socket that does not close, and its other end. */
struct lingering {
	int fd;
	int peer;
};

static struct lingering linger(void)
{
	const struct linger option = {.l_onoff = 1, .l_linger = 600};
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	struct lingering lingering;
	char data[65536] = {0};

	assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
	lingering.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(lingering.fd, (struct sockaddr *)&address, bytes), 0);
	lingering.peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(lingering.peer >= 0);
	close(listener);
	while (send(lingering.fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(lingering.fd, SOL_SOCKET, SO_LINGER, &option, sizeof(option)),
			 0);
	return lingering;
}

static void wait_until_at(const struct rig *rig, unsigned int closer, int fd)
{
	uint64_t owner;
	uint32_t count;

	for (int i = 0; i < PATIENCE; i++) {
		if (closing_progress(&rig->closing, closer, &count, &owner) == fd) {
			assert_int_equal(count, 1);
			assert_int_equal(owner, STUBBORN);
			return;
		}
		pause_ms(1);
	}
	fail();
}

static void one_that_waits_is_left_waiting(void **state)
{
	struct rig *rig = rig_start();
	const struct lingering lingering = linger();
	int ends[2];

	(void)state;
	start_closer(rig, 0);
	closing_add(&rig->closing, lingering.fd, STUBBORN);
	closing_flush(&rig->closing);
	wait_until_at(rig, 0, lingering.fd);
	assert_int_equal(pipe(ends), 0);
	closing_add(&rig->closing, ends[1], STUBBORN);
	closing_flush(&rig->closing);
	assert_false(has_ended(ends[0], 200));
	assert_true(closing_needs_closer(&rig->closing));
	start_closer(rig, 1);
	assert_true(has_ended(ends[0], PATIENCE));
	assert_false(closing_needs_closer(&rig->closing));

	/* It is still at it; once it is let go, nothing is left. */
	wait_until_at(rig, 0, lingering.fd);
	close(lingering.peer);
	reap_all(rig);
	assert_false(is_open(lingering.fd));
	close(ends[0]);
	rig_end(rig);
}

static void one_owner_keeps_only_a_few_waiting(void **state)
{
	struct rig *rig = rig_start();
	struct lingering lingering[CLOSERS_PER_OWNER + 2];
	int ends[2];

	(void)state;
	for (unsigned int i = 0; i < CLOSERS_PER_OWNER + 2; i++) {
		lingering[i] = linger();
		closing_add(&rig->closing, lingering[i].fd, STUBBORN);
	}
	closing_flush(&rig->closing);
	for (unsigned int i = 0; i < CLOSERS_PER_OWNER; i++) {
		assert_true(closing_needs_closer(&rig->closing));
		start_closer(rig, i);
		wait_until_at(rig, i, lingering[i].fd);
	}
	assert_false(closing_needs_closer(&rig->closing));
	assert_int_equal(closing_pending_of(&rig->closing, STUBBORN), CLOSERS_PER_OWNER + 2);
	assert_int_equal(pipe(ends), 0);
	closing_add(&rig->closing, ends[1], OTHER);
	closing_flush(&rig->closing);
	assert_true(closing_needs_closer(&rig->closing));
	start_closer(rig, CLOSERS_PER_OWNER);
	assert_true(has_ended(ends[0], PATIENCE));

	for (unsigned int i = 0; i < CLOSERS_PER_OWNER + 2; i++)
		close(lingering[i].peer);
	reap_all(rig);
	close(ends[0]);
	rig_end(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_not_used_before_its_tombstone_is_closed),
		cmocka_unit_test(what_was_marked_is_forgotten),
		cmocka_unit_test(a_number_that_is_free_and_marked_is_taken),
		cmocka_unit_test(one_that_is_killed_is_replaced),
		cmocka_unit_test(a_worker_that_is_killed_closes_nothing_else),
		cmocka_unit_test(one_that_waits_is_left_waiting),
		cmocka_unit_test(one_owner_keeps_only_a_few_waiting),
	};
	sigset_t interrupts;

	/* Closers are not interrupted, and processes that are stepped through not stopped, by their timer. */
	sigemptyset(&interrupts);
	sigaddset(&interrupts, SIGALRM);
	sigprocmask(SIG_BLOCK, &interrupts, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
