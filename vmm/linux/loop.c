/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching descriptors. The epoll set outlives the process as every descriptor does, and so do the
 * watches, a list in the arena: each change to the list is one store.
 */
#include <errno.h>
#include <string.h>

#include "vmm/linux/internal.h"

#define BATCH 16 /* descriptors served by one call of epoll_wait() */

static int register_watch(struct crossvm_host *host, struct watch *watch)
{
	struct epoll_event event = {.events = watch->events, .data.ptr = watch};

	if (!epoll_ctl(host->epoll, EPOLL_CTL_ADD, watch->fd, &event))
		return 0;
	if (errno != EEXIST)
		return -errno;
	return epoll_ctl(host->epoll, EPOLL_CTL_MOD, watch->fd, &event) ? -errno : 0;
}

static bool is_listed(const struct crossvm_host *host, const struct watch *watch)
{
	const struct watch *each = atomic_load(&host->arena->watches);

	while (each && each != watch)
		each = atomic_load(&each->next);
	return each != NULL;
}

int watch_add(struct crossvm_host *host, struct watch *watch, int fd, uint32_t events,
	      crossvm_host_watch_fn function, void *context)
{
	int error;

	watch->function = function;
	watch->context = context;
	watch->events = events;
	atomic_signal_fence(memory_order_seq_cst);
	watch->fd = fd;
	if (!is_listed(host, watch)) {
		atomic_store(&watch->next, atomic_load(&host->arena->watches));
		atomic_store(&host->arena->watches, watch);
	}
	error = register_watch(host, watch);
	if (error)
		watch_remove(host, watch);
	return error;
}

void watch_change(struct crossvm_host *host, struct watch *watch, uint32_t events)
{
	if (watch->fd < 0 || watch->events == events)
		return;
	watch->events = events;
	register_watch(host, watch);
}

void watch_remove(struct crossvm_host *host, struct watch *watch)
{
	struct watch *_Atomic *link = &host->arena->watches;
	struct watch *each;

	while ((each = atomic_load(link)) && each != watch)
		link = &each->next;
	if (!each)
		return;
	epoll_ctl(host->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1; /* its event may be in the batch that is being served */
	atomic_store(link, atomic_load(&watch->next));
}

bool watch_knows(const struct crossvm_host *host, int fd)
{
	const struct watch *each = atomic_load(&host->arena->watches);

	while (each && each->fd != fd)
		each = atomic_load(&each->next);
	return each != NULL;
}

void watch_resume(struct crossvm_host *host)
{
	struct watch *each = atomic_load(&host->arena->watches);

	for (; each; each = atomic_load(&each->next))
		if (each->fd >= 0)
			register_watch(host, each);
}

int crossvm_host_dispatch(struct crossvm_host *host, int timeout_ms)
{
	struct epoll_event events[BATCH];
	const bool accept_paused = atomic_load(&host->arena->accept_paused);
	const int count = epoll_wait(host->epoll, events, BATCH, timeout_ms);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		if (watch->fd >= 0)
			watch->function(watch->context, events[i].events);
	}
	/* What was served may have freed descriptors, so that clients can be accepted again. */
	if (accept_paused && count)
		socket_pause_accepting(host, false);
	return count;
}

int crossvm_host_watch(struct crossvm_host *host, void *slot, int fd, uint32_t events,
		       crossvm_host_watch_fn function, void *context)
{
	return watch_add(host, slot, fd, events, function, context);
}

void crossvm_host_unwatch(struct crossvm_host *host, void *slot)
{
	watch_remove(host, slot);
}
