/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/watches.h"

#define MANY 100

struct seen {
	struct watches *watches;
	int fd;
	unsigned int served;
	uint32_t events; /* of the last time */
	unsigned int budget;
	unsigned int spends;      /* what it says it has done */
	void (*then)(void *with); /* NULL: nothing */
	void *with;
};

static unsigned int see(void *context, uint32_t events, unsigned int budget)
{
	struct seen *seen = context;

	assert_in_range(budget, 1, WATCHES_TURN_MESSAGES);
	seen->served++;
	seen->events = events;
	seen->budget = budget;
	if (seen->then)
		seen->then(seen->with);
	return seen->spends;
}

static int ready_eventfd(void)
{
	const int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void watch(struct watches *watches, struct seen *seen, uint32_t events,
		  struct watch_owner *owner)
{
	seen->watches = watches;
	seen->fd = ready_eventfd();
	assert_int_equal(watches_set(watches, seen->fd, events, owner, see, seen), 0);
}

static void end(struct watches *watches, struct seen *seen, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		watches_remove(watches, seen[i].fd);
		close(seen[i].fd);
	}
}

static void others_are_served_in_each_turn(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner greedy = {0}, modest = {0};
	struct seen many[MANY] = {0}, one = {0};

	(void)state;
	for (int i = 0; i < MANY; i++)
		watch(watches, &many[i], EPOLLIN, &greedy);
	watch(watches, &one, EPOLLIN, &modest);
	for (unsigned int turn = 1; turn <= 100; turn++) {
		unsigned int served = 0;

		assert_int_equal(watches_turn(watches, 0), WATCHES_TURN_MESSAGES + 1);
		assert_int_equal(one.served, turn);
		for (int i = 0; i < MANY; i++)
			served += many[i].served;
		assert_int_equal(served, turn * WATCHES_TURN_MESSAGES);
	}
	/* And none of its own is forgotten. */
	for (int i = 0; i < MANY; i++)
		assert_in_range(many[i].served, 15, 64);
	end(watches, many, MANY);
	end(watches, &one, 1);
	watches_destroy(watches);
}

/* Messages count, not descriptors. */
static void one_that_has_much_to_do_spends_it_all(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen two[2] = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		watch(watches, &two[i], EPOLLIN, &owner);
		two[i].spends = WATCHES_TURN_MESSAGES - 2;
	}
	assert_int_equal(watches_turn(watches, 0), 2);
	assert_int_equal(two[0].budget + two[1].budget, WATCHES_TURN_MESSAGES + 2);
	two[0].spends = two[1].spends = WATCHES_TURN_MESSAGES;
	for (unsigned int turn = 0; turn < 10; turn++)
		assert_int_equal(watches_turn(watches, 0), 1);
	assert_in_range(two[0].served, 5, 7);
	assert_in_range(two[1].served, 5, 7);
	end(watches, two, 2);
	watches_destroy(watches);
}

/* Events that are told but once, of more descriptors than have their turn. */
static void an_edge_that_is_put_off_is_not_lost(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen many[MANY] = {0};
	int turns = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		watch(watches, &many[i], EPOLLIN | EPOLLET, &owner);
	while (watches_turn(watches, 0) > 0)
		turns++;
	assert_int_equal(turns, (MANY + WATCHES_TURN_MESSAGES - 1) / WATCHES_TURN_MESSAGES);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(many[i].served, 1);
		assert_int_equal(many[i].events, EPOLLIN);
	}
	end(watches, many, MANY);
	watches_destroy(watches);
}

/* Number reuse: while one is served, the other is closed and its number is another's. */
struct swap {
	struct watches *watches;
	struct watch_owner *owner;
	struct seen *closes;
	struct seen *opens;
};

static void swap(void *with)
{
	const struct swap *swap = with;

	watches_remove(swap->watches, swap->closes->fd);
	close(swap->closes->fd);
	swap->opens->fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(swap->opens->fd, swap->closes->fd);
	assert_int_equal(
		watches_set(swap->watches, swap->opens->fd, EPOLLIN, swap->owner, see, swap->opens),
		0);
}

static void an_event_of_one_that_was_closed_is_not_the_next_ones(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen two[2] = {0}, next = {0};
	struct swap swaps[2];

	(void)state;
	/* Whichever of the two is served first closes the other. */
	for (int i = 0; i < 2; i++) {
		watch(watches, &two[i], EPOLLIN, &owner);
		swaps[i] = (struct swap){watches, &owner, &two[!i], &next};
		two[i].then = swap;
		two[i].with = &swaps[i];
	}
	assert_int_equal(watches_turn(watches, 0), 1);
	assert_int_equal(next.served, 0);
	assert_int_equal(two[0].served + two[1].served, 1);
	end(watches, &two[two[1].served], 1);
	end(watches, &next, 1);
	watches_destroy(watches);
}

/* The same if the event had been put off. */
static void nor_is_one_that_was_put_off(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen two[2] = {0}, next = {0};
	struct seen *late;

	(void)state;
	for (int i = 0; i < 2; i++) {
		watch(watches, &two[i], EPOLLIN | EPOLLET, &owner);
		two[i].spends = WATCHES_TURN_MESSAGES;
	}
	assert_int_equal(watches_turn(watches, 0), 1);
	late = &two[two[0].served];
	assert_int_equal(late->served, 0);
	end(watches, late, 1);
	next.fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(next.fd, late->fd);
	assert_int_equal(watches_set(watches, next.fd, EPOLLIN, &owner, see, &next), 0);
	while (watches_turn(watches, 0) > 0)
		;
	assert_int_equal(next.events, 0); /* it may be asked, but has nothing to do */
	assert_int_equal(late->served, 0);
	end(watches, &two[!two[0].served], 1);
	end(watches, &next, 1);
	watches_destroy(watches);
}

static void once_more(void *with)
{
	struct seen *seen = with;

	if (seen->served < 5)
		watches_again(seen->watches, seen->fd);
}

static void what_asks_for_more_has_a_turn_without_waiting(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen one = {.then = once_more, .with = &one};

	(void)state;
	watch(watches, &one, EPOLLIN | EPOLLET, &owner);
	for (unsigned int turn = 1; turn <= 5; turn++) {
		assert_int_equal(watches_turn(watches, -1), 1);
		assert_int_equal(one.served, turn);
		assert_int_equal(one.events, turn == 1 ? EPOLLIN : 0);
	}
	assert_int_equal(watches_turn(watches, 0), 0);
	end(watches, &one, 1);
	watches_again(watches, one.fd); /* not watched: nothing happens */
	assert_int_equal(watches_turn(watches, 0), 0);
	watches_destroy(watches);
}

static void what_is_paused_waits_until_it_ends(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen two[2] = {0};

	(void)state;
	for (int i = 0; i < 2; i++)
		watch(watches, &two[i], EPOLLIN, &owner);
	assert_false(watches_are_paused(watches));
	watches_pause(watches, two[0].fd);
	assert_true(watches_are_paused(watches));
	assert_int_equal(watches_turn(watches, 0), 1);
	/* Watched otherwise meanwhile, it is still paused. */
	assert_int_equal(watches_set(watches, two[0].fd, EPOLLIN | EPOLLOUT, &owner, see, &two[0]),
			 0);
	assert_int_equal(watches_turn(watches, 0), 1);
	assert_int_equal(two[0].served, 0);
	watches_unpause(watches);
	assert_false(watches_are_paused(watches));
	assert_int_equal(watches_turn(watches, 0), 2);
	assert_int_equal(two[0].events, EPOLLIN | EPOLLOUT);
	end(watches, two, 2);
	watches_destroy(watches);
}

/* Which epoll tells whatever it is asked for. */
static void the_end_of_one_that_is_paused_keeps_nobody_busy(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen one = {0};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(watches_set(watches, ends[0], EPOLLIN, &owner, see, &one), 0);
	watches_pause(watches, ends[0]);
	close(ends[1]);
	for (int i = 0; i < 10; i++)
		watches_turn(watches, 0);
	assert_in_range(one.served, 0, 1);
	watches_unpause(watches);
	for (unsigned int before = one.served, i = 1; i <= 3; i++) {
		assert_int_equal(watches_turn(watches, 0), 1);
		assert_int_equal(one.served, before + i);
	}
	assert_int_equal(watches_set(watches, ends[0], 0, &owner, see, &one), 0);
	one.served = 0;
	for (int i = 0; i < 10; i++)
		watches_turn(watches, 0);
	assert_in_range(one.served, 0, 1);
	watches_remove(watches, ends[0]);
	close(ends[0]);
	watches_destroy(watches);
}

static bool end_of_turn(void *context)
{
	unsigned int *left = context;

	return --*left > 0;
}

static void the_end_of_a_turn_may_have_more_to_do(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen one = {0};
	unsigned int left = 3;

	(void)state;
	watches_at_end(watches, end_of_turn, &left);
	assert_int_equal(watches_turn(watches, 0), 0);
	assert_int_equal(left, 3);
	watch(watches, &one, EPOLLIN | EPOLLET, &owner);
	assert_int_equal(watches_turn(watches, -1), 1);
	assert_int_equal(watches_turn(watches, -1), 1);
	assert_int_equal(watches_turn(watches, -1), 1);
	assert_int_equal(left, 0);
	assert_int_equal(watches_turn(watches, 0), 0);
	end(watches, &one, 1);
	watches_destroy(watches);
}

static void one_begins_with_none_in_another_process(void **state)
{
	struct watches *watches = watches_create();
	struct watch_owner owner = {0};
	struct seen one = {0};
	int old;

	(void)state;
	watch(watches, &one, EPOLLIN, &owner);
	watches_again(watches, one.fd);
	old = watches_fd(watches);
	assert_int_equal(watches_renew(watches), 0);
	assert_int_not_equal(old, watches_fd(watches));
	close(old);
	assert_int_equal(watches_turn(watches, 0), 0);
	assert_int_equal(watches_set(watches, one.fd, EPOLLIN, &owner, see, &one), 0);
	assert_int_equal(watches_turn(watches, 0), 1);
	end(watches, &one, 1);
	watches_destroy(watches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_are_served_in_each_turn),
		cmocka_unit_test(one_that_has_much_to_do_spends_it_all),
		cmocka_unit_test(an_edge_that_is_put_off_is_not_lost),
		cmocka_unit_test(an_event_of_one_that_was_closed_is_not_the_next_ones),
		cmocka_unit_test(nor_is_one_that_was_put_off),
		cmocka_unit_test(what_asks_for_more_has_a_turn_without_waiting),
		cmocka_unit_test(what_is_paused_waits_until_it_ends),
		cmocka_unit_test(the_end_of_one_that_is_paused_keeps_nobody_busy),
		cmocka_unit_test(the_end_of_a_turn_may_have_more_to_do),
		cmocka_unit_test(one_begins_with_none_in_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
