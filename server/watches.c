/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/watches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 256 /* descriptors served in a turn */

struct watch {
	watch_fn function; /* NULL: not watched */
	void *context;
	struct watch_owner *owner;
	uint32_t events;
	uint32_t serial;  /* tells an event of this watch from one of its number's last */
	uint32_t pending; /* events that there was no time for */
	bool again;       /* in again[] */
	bool paused;
};

struct watches {
	int epoll;
	uint32_t last_serial;
	uint64_t turn;
	size_t room;         /* of table; again has twice as much */
	struct watch *table; /* by descriptor */
	int *again;          /* descriptors to be served in the next turn */
	size_t num_again;
	bool paused;     /* some are */
	bool unfinished; /* the function at the end has more to do */
	bool (*at_end)(void *context);
	void *at_end_context;
	struct epoll_event events[BATCH];
};

struct watches *watches_create(void)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (!watches)
		return NULL;
	watches->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watches->epoll >= 0)
		return watches;
	free(watches);
	return NULL;
}

void watches_destroy(struct watches *watches)
{
	if (!watches)
		return;
	if (watches->epoll >= 0)
		close(watches->epoll);
	free(watches->table);
	free(watches->again);
	free(watches);
}

int watches_fd(const struct watches *watches)
{
	return watches->epoll;
}

void watches_close(struct watches *watches)
{
	close(watches->epoll);
	watches->epoll = -1;
}

int watches_renew(struct watches *watches)
{
	const int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		return -errno;
	watches->epoll = epoll;
	if (watches->room)
		memset(watches->table, 0, watches->room * sizeof(*watches->table));
	watches->num_again = 0;
	watches->paused = false;
	/* Whatever the process before has left to be done at the end of its turn. */
	watches->unfinished = watches->at_end != NULL;
	return 0;
}

static int grow(struct watches *watches, int fd)
{
	size_t room = watches->room ? watches->room : 64;
	struct watch *table;
	int *again;

	while (room <= (size_t)fd)
		room *= 2;
	if (room == watches->room)
		return 0;
	/* Twice: one turn's and, while that is served, the next one's. */
	again = realloc(watches->again, 2 * room * sizeof(*again));
	if (!again)
		return -ENOMEM;
	watches->again = again;
	table = realloc(watches->table, room * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table + watches->room, 0, (room - watches->room) * sizeof(*table));
	watches->table = table;
	watches->room = room;
	return 0;
}

static struct watch *find(const struct watches *watches, int fd)
{
	if (fd < 0 || (size_t)fd >= watches->room || !watches->table[fd].function)
		return NULL;
	return &watches->table[fd];
}

static int tell_kernel(struct watches *watches, int operation, int fd, const struct watch *watch)
{
	const uint32_t events = watch->paused ? 0 : watch->events;
	/* EPOLLHUP and EPOLLERR come whatever is waited for: then but once, or each turn would be for them. */
	struct epoll_event event = {.events = events ? events : EPOLLET,
				    .data.u64 = (uint64_t)watch->serial << 32 | (uint32_t)fd};

	return epoll_ctl(watches->epoll, operation, fd, &event) ? -errno : 0;
}

int watches_set(struct watches *watches, int fd, uint32_t events, struct watch_owner *owner,
		watch_fn function, void *context)
{
	struct watch *watch = find(watches, fd);
	int error;

	if (watch) {
		watch->function = function;
		watch->context = context;
		watch->owner = owner;
		if (watch->events == events)
			return 0;
		watch->events = events;
		return tell_kernel(watches, EPOLL_CTL_MOD, fd, watch);
	}
	error = grow(watches, fd);
	if (error)
		return error;
	watch = &watches->table[fd];
	*watch = (struct watch){.function = function,
				.context = context,
				.owner = owner,
				.events = events,
				.serial = ++watches->last_serial,
				.again = watch->again};
	error = tell_kernel(watches, EPOLL_CTL_ADD, fd, watch);
	if (error)
		watch->function = NULL;
	return error;
}

void watches_remove(struct watches *watches, int fd)
{
	struct watch *watch = find(watches, fd);

	if (!watch)
		return;
	epoll_ctl(watches->epoll, EPOLL_CTL_DEL, fd, NULL);
	watch->function = NULL; /* an event of it may be in the batch that is being served */
	watch->pending = 0;
}

void watches_again(struct watches *watches, int fd)
{
	struct watch *watch = find(watches, fd);

	if (!watch || watch->again)
		return;
	watch->again = true;
	watches->again[watches->num_again++] = fd;
}

void watches_pause(struct watches *watches, int fd)
{
	struct watch *watch = find(watches, fd);

	if (!watch || watch->paused)
		return;
	watch->paused = true;
	watches->paused = true;
	tell_kernel(watches, EPOLL_CTL_MOD, fd, watch);
}

void watches_unpause(struct watches *watches)
{
	if (!watches->paused)
		return;
	watches->paused = false;
	for (size_t fd = 0; fd < watches->room; fd++) {
		struct watch *watch = &watches->table[fd];

		if (!watch->function || !watch->paused)
			continue;
		watch->paused = false;
		tell_kernel(watches, EPOLL_CTL_MOD, (int)fd, watch);
	}
}

bool watches_are_paused(const struct watches *watches)
{
	return watches->paused;
}

void watches_at_end(struct watches *watches, bool (*function)(void *context), void *context)
{
	watches->at_end = function;
	watches->at_end_context = context;
}

/* What it did beyond the one message that it was charged for already. */
static void charge(const struct watches *watches, int fd, uint32_t serial, unsigned int more)
{
	const struct watch *watch = find(watches, fd);

	/* The watch may have ended meanwhile, and its owner with it. */
	if (watch && watch->serial == serial)
		watch->owner->spent += more;
}

/* @return whether it was its owner's turn. */
static bool serve(struct watches *watches, int fd, struct watch *watch, uint32_t events)
{
	struct watch_owner *owner = watch->owner;
	const uint32_t serial = watch->serial;
	unsigned int spent;

	if (owner->turn != watches->turn) {
		owner->turn = watches->turn;
		owner->spent = 0;
	}
	if (owner->spent >= WATCHES_TURN_MESSAGES) {
		/* An event that is told but once must not be forgotten. */
		watch->pending |= events;
		watches_again(watches, fd);
		return false;
	}
	events |= watch->pending;
	watch->pending = 0;
	spent = watch->function(watch->context, events, WATCHES_TURN_MESSAGES - owner->spent++);
	if (spent > 1)
		charge(watches, fd, serial, spent - 1);
	return true;
}

/* What was left over from the turn before: first, so that it is not left over again. */
static int serve_again(struct watches *watches)
{
	const size_t count = watches->num_again;
	int served = 0;

	for (size_t i = 0; i < count; i++) {
		const int fd = watches->again[i];
		struct watch *watch = find(watches, fd);

		watches->table[fd].again = false;
		if (watch)
			served += serve(watches, fd, watch, 0);
	}
	/* What was added meanwhile, in its order. */
	watches->num_again -= count;
	memmove(watches->again, watches->again + count,
		watches->num_again * sizeof(*watches->again));
	return served;
}

static int serve_event(struct watches *watches, const struct epoll_event *event)
{
	const int fd = (int)(uint32_t)event->data.u64;
	struct watch *watch = find(watches, fd);

	return watch && watch->serial == event->data.u64 >> 32 &&
	       serve(watches, fd, watch, event->events);
}

static int serve_ready(struct watches *watches, int count)
{
	int next;
	int served = 0;

	if (count == 1)
		return serve_event(watches, watches->events);
	/* Beginning elsewhere each time: what is behind an owner's limit is not so for ever. */
	next = (int)(watches->turn % (unsigned int)count);
	for (int i = 0; i < count; i++) {
		served += serve_event(watches, &watches->events[next]);
		if (++next == count)
			next = 0;
	}
	return served;
}

int watches_turn(struct watches *watches, int timeout_ms)
{
	const bool more = watches->num_again || watches->unfinished;
	const int count = epoll_wait(watches->epoll, watches->events, BATCH, more ? 0 : timeout_ms);
	int served = 0;

	if (count < 0 && errno != EINTR)
		return -errno;
	if (count <= 0 && !more)
		return 0;
	watches->turn++;
	if (watches->num_again)
		served = serve_again(watches);
	if (count > 0)
		served += serve_ready(watches, count);
	watches->unfinished = watches->at_end && watches->at_end(watches->at_end_context);
	return served ? served : 1;
}
