/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper's event loop: descriptors with callbacks, and one deadline for each owner who wants one.
 */
#ifndef CROSSVM_LAB_LOOP_H
#define CROSSVM_LAB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct lab_watch;

/* @events: of epoll. */
typedef void (*lab_watch_fn)(void *context, uint32_t events);
typedef void (*lab_timer_fn)(void *context);

struct lab_timer {
	struct lab_timer *next; /* of those that are set */
	bool set;
	int64_t at_ms;
	lab_timer_fn fn;
	void *context;
};

struct lab_loop {
	int fd;
	bool stopped;
	struct lab_watch *dead; /* removed while their event may be on the way */
	struct lab_timer *timers;
};

int lab_loop_init(struct lab_loop *loop);
void lab_loop_destroy(struct lab_loop *loop);

/* Call back until lab_loop_stop(). @return 0 or -errno. */
int lab_loop_run(struct lab_loop *loop);
void lab_loop_stop(struct lab_loop *loop);

/* @return 0 or -errno; the descriptor stays the caller's, who removes the watch before closing it. */
int lab_loop_add(struct lab_loop *loop, int fd, uint32_t events, lab_watch_fn fn, void *context,
		 struct lab_watch **watch);
void lab_loop_change(struct lab_loop *loop, struct lab_watch *watch, uint32_t events);
/*
 * Accepts NULL. The callback is not called any more, not even for what was found already. The
 * descriptor must be open still: where another process has it, too, closing it ends no watch.
 */
void lab_loop_remove(struct lab_loop *loop, struct lab_watch *watch);

/* Call timer->fn once, so long from now; setting it again moves it. */
void lab_timer_set(struct lab_loop *loop, struct lab_timer *timer, int64_t in_ms);
void lab_timer_clear(struct lab_loop *loop, struct lab_timer *timer);

/* Milliseconds of the monotonic clock. */
int64_t lab_now_ms(void);

#endif
