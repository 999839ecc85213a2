/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/loop.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct lab_watch {
	struct lab_watch *next; /* of the dead */
	int fd;
	uint32_t events;
	lab_watch_fn fn;
	void *context;
};

int64_t lab_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int lab_loop_init(struct lab_loop *loop)
{
	*loop = (struct lab_loop){.fd = epoll_create1(EPOLL_CLOEXEC)};
	return loop->fd < 0 ? -errno : 0;
}

static void bury(struct lab_loop *loop)
{
	while (loop->dead) {
		struct lab_watch *next = loop->dead->next;

		free(loop->dead);
		loop->dead = next;
	}
}

void lab_loop_destroy(struct lab_loop *loop)
{
	bury(loop);
	if (loop->fd >= 0)
		close(loop->fd);
	loop->fd = -1;
}

int lab_loop_add(struct lab_loop *loop, int fd, uint32_t events, lab_watch_fn fn, void *context,
		 struct lab_watch **watch)
{
	struct lab_watch *new = calloc(1, sizeof(*new));
	struct epoll_event event = {.events = events, .data.ptr = new};

	if (!new)
		return -ENOMEM;
	*new = (struct lab_watch){.fd = fd, .events = events, .fn = fn, .context = context};
	if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(new);
		return -errno;
	}
	*watch = new;
	return 0;
}

void lab_loop_change(struct lab_loop *loop, struct lab_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (!watch || watch->events == events)
		return;
	watch->events = events;
	(void)epoll_ctl(loop->fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void lab_loop_remove(struct lab_loop *loop, struct lab_watch *watch)
{
	if (!watch)
		return;
	(void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fn = NULL;
	watch->next = loop->dead;
	loop->dead = watch;
}

void lab_timer_clear(struct lab_loop *loop, struct lab_timer *timer)
{
	struct lab_timer **link = &loop->timers;

	if (!timer->set)
		return;
	while (*link && *link != timer)
		link = &(*link)->next;
	if (*link)
		*link = timer->next;
	timer->set = false;
}

void lab_timer_set(struct lab_loop *loop, struct lab_timer *timer, int64_t in_ms)
{
	lab_timer_clear(loop, timer);
	timer->at_ms = lab_now_ms() + in_ms;
	timer->next = loop->timers;
	timer->set = true;
	loop->timers = timer;
}

static struct lab_timer *first_timer(const struct lab_loop *loop)
{
	struct lab_timer *first = loop->timers;

	for (struct lab_timer *timer = first; timer; timer = timer->next)
		if (timer->at_ms < first->at_ms)
			first = timer;
	return first;
}

static int timeout_ms(const struct lab_loop *loop)
{
	const struct lab_timer *first = first_timer(loop);
	int64_t left;

	if (!first)
		return -1;
	left = first->at_ms - lab_now_ms();
	if (left < 0)
		return 0;
	return left > 60000 ? 60000 : (int)left;
}

static void run_timers(struct lab_loop *loop)
{
	struct lab_timer *first;

	while (!loop->stopped && (first = first_timer(loop)) && first->at_ms <= lab_now_ms()) {
		lab_timer_clear(loop, first);
		first->fn(first->context);
	}
}

int lab_loop_run(struct lab_loop *loop)
{
	struct epoll_event events[64];

	loop->stopped = false;
	while (!loop->stopped) {
		int n = epoll_wait(loop->fd, events, 64, timeout_ms(loop));

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !loop->stopped; i++) {
			const struct lab_watch *watch = events[i].data.ptr;

			if (watch->fn)
				watch->fn(watch->context, events[i].events);
		}
		run_timers(loop);
		bury(loop);
	}
	return 0;
}

void lab_loop_stop(struct lab_loop *loop)
{
	loop->stopped = true;
}
