/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/closing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MESSAGE_FDS 253u /* that one message can bring: SCM_MAX_FD */

/* What is to happen to a descriptor. */
enum mark {
	MARK_NONE,
	MARK_CLOSE, /* to be closed */
	MARK_DRAIN, /* a socket, to be closed once what it has received is thrown away */
	MARK_DONE,  /* a tombstone */
	MARK_TAKEN, /* a closer is at it; plus twice its number, plus 1 for a socket */
};

/* More packets than a socket's buffer holds. */
#define MAX_UNREAD 512u

struct closer {
	_Atomic int fd; /* -1: none */
	_Atomic uint32_t count;
	_Atomic uint32_t runs;
	_Atomic uint32_t idle;
};

struct entry {
	_Atomic uint32_t mark; /* enum mark */
	_Atomic uint64_t owner;
};

struct closing_state {
	uint32_t size;
	_Atomic uint32_t end; /* numbers from here on were never marked */
	_Atomic uint32_t pending;
	struct closer closers[CLOSERS];
	struct entry entries[];
};

const struct closing closing_none = {.work = -1, .done = -1, .timer = -1, .tombstone = -1};

size_t closing_bytes(size_t max_fds)
{
	return sizeof(struct closing_state) + max_fds * sizeof(struct entry);
}

int closing_create(struct closing *closing, struct arena *arena, size_t max_fds)
{
	*closing = closing_none;
	closing->state = arena_allocate(arena, closing_bytes(max_fds));
	if (!closing->state)
		return -ENOMEM;
	closing->state->size = (uint32_t)max_fds;
	for (unsigned int i = 0; i < CLOSERS; i++)
		atomic_store(&closing->state->closers[i].fd, -1);
	closing->work = eventfd(0, EFD_CLOEXEC);
	closing->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	closing->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	/* Not blocking: whoever should use one by mistake gets an error, and does not wait. */
	closing->tombstone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (closing->work < 0 || closing->done < 0 || closing->timer < 0 || closing->tombstone < 0)
		return -errno;
	return 0;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void closing_destroy(struct closing *closing)
{
	if (closing->state && !closing->closers)
		closing_resume(closing);
	close_if_open(closing->work);
	close_if_open(closing->done);
	close_if_open(closing->timer);
	close_if_open(closing->tombstone);
	*closing = closing_none;
}

static void signal_eventfd(int fd)
{
	static const uint64_t one = 1;

	/* Nobody but us has it, so it is never full. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static uint32_t mark_of(const struct closing_state *state, uint32_t fd)
{
	return atomic_load(&state->entries[fd].mark);
}

static bool waits(const struct closing_state *state, uint32_t fd)
{
	return mark_of(state, fd) == MARK_CLOSE || mark_of(state, fd) == MARK_DRAIN;
}

/* Counted anew: a worker that was killed may have left the count wrong. */
static uint32_t count_marks(const struct closing_state *state)
{
	const uint32_t end = atomic_load(&state->end);
	uint32_t count = 0;

	for (uint32_t fd = 0; fd < end; fd++)
		count += mark_of(state, fd) != MARK_NONE;
	return count;
}

/* The worker. */

static void add(struct closing *closing, int fd, uint64_t owner, enum mark mark)
{
	struct closing_state *state = closing->state;

	if (fd < 0 || (uint32_t)fd >= state->size || mark_of(state, (uint32_t)fd) != MARK_NONE)
		return;
	atomic_store(&state->entries[fd].owner, owner);
	if (atomic_load(&state->end) <= (uint32_t)fd)
		atomic_store(&state->end, (uint32_t)fd + 1);
	atomic_fetch_add(&state->pending, 1);
	atomic_store(&state->entries[fd].mark, mark);
	closing->marked = true;
}

void closing_add(struct closing *closing, int fd, uint64_t owner)
{
	add(closing, fd, owner, MARK_CLOSE);
}

/*
 * Throw away what a socket has received: a close with something unread would be an error to the
 * other end, which then would not read what we sent last.
 */
static void drain(int fd)
{
	char byte;

	for (unsigned int i = 0; i < MAX_UNREAD; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) <= 0)
			return;
}

static void take(struct closing *closing, int *slot, uint64_t owner, enum mark mark)
{
	const int fd = *slot;

	if (fd < 0)
		return;
	/* Only a program without a holder can have numbers that the table has no room for. */
	if (closing && (uint32_t)fd >= closing->state->size)
		closing = NULL;
	if (closing)
		add(closing, fd, owner, mark);
	atomic_signal_fence(memory_order_seq_cst);
	*slot = -1;
	atomic_signal_fence(memory_order_seq_cst);
	if (closing)
		return;
	if (mark == MARK_DRAIN)
		drain(fd);
	close(fd);
}

void closing_take(struct closing *closing, int *slot, uint64_t owner)
{
	take(closing, slot, owner, MARK_CLOSE);
}

void closing_take_socket(struct closing *closing, int *slot, uint64_t owner)
{
	take(closing, slot, owner, MARK_DRAIN);
}

/* No closers: this process closes. */
static void close_marked(struct closing *closing)
{
	struct closing_state *state = closing->state;
	const uint32_t end = atomic_load(&state->end);

	for (uint32_t fd = 0; fd < end; fd++) {
		if (mark_of(state, fd) == MARK_NONE)
			continue;
		if (mark_of(state, fd) == MARK_DRAIN)
			drain((int)fd);
		close((int)fd);
		atomic_store(&state->entries[fd].mark, MARK_NONE);
	}
	atomic_store(&state->end, 0);
	atomic_store(&state->pending, 0);
}

bool closing_flush(struct closing *closing)
{
	if (!closing->marked)
		return false;
	closing->marked = false;
	if (closing->closers)
		signal_eventfd(closing->work);
	else
		close_marked(closing);
	return !closing->closers;
}

unsigned int closing_reap(struct closing *closing)
{
	struct closing_state *state = closing->state;
	const uint32_t end = atomic_load(&state->end);
	unsigned int count = 0;
	uint64_t ignored;

	if (read(closing->done, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		return 0;
	for (uint32_t fd = 0; fd < end; fd++) {
		if (mark_of(state, fd) != MARK_DONE)
			continue;
		/*
		 * In this order, so that none is forgotten. A process that dies in between leaves a number
		 * that is free and marked: closing_renew() takes it.
		 */
		close((int)fd);
		atomic_store(&state->entries[fd].mark, MARK_NONE);
		count++;
	}
	atomic_fetch_sub(&state->pending, count);
	return count;
}

int closing_renew(const struct closing *closing)
{
	const struct closing_state *state = closing->state;
	const uint32_t end = atomic_load(&state->end);

	for (uint32_t fd = 0; fd < end && fd < state->size; fd++)
		if (mark_of(state, fd) != MARK_NONE && fcntl((int)fd, F_GETFD) < 0 &&
		    dup3(closing->tombstone, (int)fd, O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

void closing_forget(const struct closing *closing, int *slot)
{
	if (*slot >= 0 && closing_has(closing, *slot))
		*slot = -1;
}

void closing_resume(struct closing *closing)
{
	closing->marked = false;
	if (!closing->closers) {
		close_marked(closing);
		return;
	}
	closing_reap(closing);
	atomic_store(&closing->state->pending, count_marks(closing->state));
	signal_eventfd(closing->work);
}

bool closing_has(const struct closing *closing, int fd)
{
	return fd >= 0 && (uint32_t)fd < closing->state->size &&
	       mark_of(closing->state, (uint32_t)fd) != MARK_NONE;
}

unsigned int closing_pending(const struct closing *closing)
{
	return atomic_load(&closing->state->pending);
}

unsigned int closing_pending_of(const struct closing *closing, uint64_t owner)
{
	const struct closing_state *state = closing->state;
	const uint32_t end = atomic_load(&state->end);
	unsigned int count = 0;

	for (uint32_t fd = 0; fd < end; fd++)
		count += mark_of(state, fd) != MARK_NONE &&
			 atomic_load(&state->entries[fd].owner) == owner;
	return count;
}

bool closing_has_room(const struct closing *closing, uint64_t owner)
{
	const unsigned int pending = closing_pending(closing);

	if (pending <= MESSAGE_FDS)
		return true;
	if (pending + MESSAGE_FDS > CLOSING_RESERVE)
		return false;
	return closing_pending_of(closing, owner) <= MESSAGE_FDS;
}

/* The closers. */

static unsigned int closers_at(const struct closing_state *state, uint64_t owner)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < CLOSERS; i++) {
		const int fd = atomic_load(&state->closers[i].fd);

		count += fd >= 0 && (uint32_t)fd < state->size &&
			 atomic_load(&state->entries[fd].owner) == owner;
	}
	return count;
}

static void start_timer(const struct closing *closing)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 100000000};

	timerfd_settime(closing->timer, 0, &soon, NULL);
}

/*
 * Signals that come often, with a handler that does nothing: a socket that lingers stops to as soon as
 * one is there.
 */
static void interrupt_often(bool often)
{
	const suseconds_t us = often ? 10000 : 0;
	const struct itimerval interval = {.it_interval.tv_usec = us, .it_value.tv_usec = us};

	setitimer(ITIMER_REAL, &interval, NULL);
}

/* @return whether the descriptor was this closer's. */
static bool bury(struct closing *closing, unsigned int number, uint32_t fd)
{
	struct closing_state *state = closing->state;
	struct closer *closer = &state->closers[number];
	struct entry *entry = &state->entries[fd];
	uint32_t mark = mark_of(state, fd);
	const bool is_socket = mark == MARK_DRAIN;

	if (!waits(state, fd) || closers_at(state, atomic_load(&entry->owner)) >= CLOSERS_PER_OWNER)
		return false;
	/*
	 * First, so that whoever finds the mark taken finds by whom, and closers that come here together
	 * do not overlook each other. If all of them turn back, closing_wake() comes.
	 */
	atomic_store(&closer->fd, (int)fd);
	if (closers_at(state, atomic_load(&entry->owner)) > CLOSERS_PER_OWNER ||
	    !atomic_compare_exchange_strong(&entry->mark, &mark,
					    MARK_TAKEN + 2 * number + is_socket)) {
		atomic_store(&closer->fd, -1);
		return false;
	}
	atomic_fetch_add(&closer->count, 1);
	start_timer(closing);
	interrupt_often(true);
	if (is_socket)
		drain((int)fd);
	/* The number names the tombstone from here on; what it named before is dropped, which may wait. */
	while (dup3(closing->tombstone, (int)fd, O_CLOEXEC) < 0 && errno == EINTR)
		;
	interrupt_often(false);
	atomic_store(&entry->mark, MARK_DONE);
	atomic_store(&closer->fd, -1);
	return true;
}

/* Whether another closer waits for work: then one that has just been held up is not needed. */
static bool another_is_idle(const struct closing_state *state, unsigned int closer)
{
	for (unsigned int i = 0; i < CLOSERS; i++)
		if (i != closer && atomic_load(&state->closers[i].runs) &&
		    atomic_load(&state->closers[i].idle))
			return true;
	return false;
}

void closing_work(struct closing *closing, unsigned int number)
{
	struct closing_state *state = closing->state;
	struct closer *closer = &state->closers[number];
	uint64_t ignored;

	for (;;) {
		bool any = false;

		for (uint32_t fd = 0; fd < atomic_load(&state->end); fd++)
			any |= bury(closing, number, fd);
		if (any) {
			signal_eventfd(closing->done);
			continue;
		}
		if (another_is_idle(state, number))
			return;
		atomic_store(&closer->idle, 1);
		while (read(closing->work, &ignored, sizeof(ignored)) < 0 && errno == EINTR)
			;
		atomic_store(&closer->idle, 0);
	}
}

/* The holder. */

void closing_started(struct closing *closing, unsigned int number)
{
	atomic_store(&closing->state->closers[number].idle, 0);
	atomic_store(&closing->state->closers[number].runs, 1);
}

void closing_ended(struct closing *closing, unsigned int number)
{
	struct closing_state *state = closing->state;
	struct closer *closer = &state->closers[number];
	const int fd = atomic_load(&closer->fd);
	uint32_t file = MARK_TAKEN + 2 * number;
	uint32_t socket = file + 1;

	/* Whether it had put the tombstone there or not: another one does so, perhaps again. */
	if (fd >= 0 && (uint32_t)fd < state->size &&
	    !atomic_compare_exchange_strong(&state->entries[fd].mark, &file, MARK_CLOSE))
		atomic_compare_exchange_strong(&state->entries[fd].mark, &socket, MARK_CLOSE);
	atomic_store(&closer->fd, -1);
	atomic_store(&closer->idle, 0);
	atomic_store(&closer->runs, 0);
	signal_eventfd(closing->work);
	signal_eventfd(closing->done); /* it may have died between a tombstone and telling of it */
}

void closing_wake(const struct closing *closing)
{
	signal_eventfd(closing->work);
}

int closing_progress(const struct closing *closing, unsigned int number, uint32_t *count,
		     uint64_t *owner)
{
	const struct closing_state *state = closing->state;
	const struct closer *closer = &state->closers[number];
	const int fd = atomic_load(&closer->fd);

	*count = atomic_load(&closer->count);
	*owner = CLOSING_OWNER_UNKNOWN;
	if (fd < 0 || (uint32_t)fd >= state->size)
		return -1;
	*owner = atomic_load(&state->entries[fd].owner);
	return fd;
}

bool closing_needs_closer(const struct closing *closing)
{
	const struct closing_state *state = closing->state;
	const uint32_t end = atomic_load(&state->end);

	for (uint32_t fd = 0; fd < end && fd < state->size; fd++)
		if (waits(state, fd) &&
		    closers_at(state, atomic_load(&state->entries[fd].owner)) < CLOSERS_PER_OWNER)
			return true;
	return false;
}
