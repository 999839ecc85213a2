/* SPDX-License-Identifier: BSD-2-Clause */
/* Going on after another process, which died at any instant. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/linux/internal.h"

static bool knows(const struct crossvm_host *host, int fd)
{
	if (fd == host->epoll || watch_knows(host, fd) || doorbells_know(host, fd))
		return true;
	for (const struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (const struct host_connection *c = vm->connections; c; c = c->next)
			if (connection_knows(c, fd))
				return true;
	return false;
}

/* A client that was accepted, but whose process died before it could say so. */
static bool adopt(struct crossvm_host *host, int fd)
{
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			for (unsigned int i = 0; i < c->num_functions; i++)
				if (wire_accepted_from(&c->functions[i].listener, fd)) {
					function_adopt(&c->functions[i], fd);
					return true;
				}
	return doorbells_adopt(host, fd);
}

static int sort_out_descriptors(struct crossvm_host *host, bool (*known)(void *context, int fd),
				void *context)
{
	const struct dirent *entry;

	/* Opened by the process that this one was cloned from; the table it lists is the same. */
	rewinddir(host->descriptors);
	errno = 0;
	while ((entry = readdir(host->descriptors))) {
		const int fd = (int)strtol(entry->d_name, NULL, 10); /* "." and "..": 0 */

		if (fd <= STDERR_FILENO || fd == dirfd(host->descriptors) || knows(host, fd) ||
		    adopt(host, fd) || !known || known(context, fd))
			continue;
		/* It may be watched still, and its other end not ours: closing would not end that. */
		epoll_ctl(host->epoll, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
	}
	return 0;
}

/* Processes that crash at one message, one after another, end with its client's disconnection. */
#define MAX_CRASHES 3u

void crossvm_host_blame(struct crossvm_host *host)
{
	struct arena *arena = host->arena;
	struct vfio_user_session *session = atomic_load(&arena->serving);
	const uint64_t message = session ? vfio_user_message_id(session) : 0;

	if (!session)
		return;
	if (session != arena->crash_session || message != arena->crash_message)
		arena->crashes = 0;
	arena->crash_session = session;
	arena->crash_message = message;
	arena->crashes++;
}

static bool is_to_blame(const struct crossvm_host *host, const struct vfio_user_session *session)
{
	const struct arena *arena = host->arena;

	return arena->crashes >= MAX_CRASHES && session == arena->crash_session &&
	       vfio_user_is_open(session) && vfio_user_message_id(session) == arena->crash_message;
}

static void resume(struct crossvm_host *host, struct host_function *function)
{
	if (is_to_blame(host, &function->state->session))
		function_give_up(function);
	else
		function_resume(function);
}

int crossvm_host_recover(struct crossvm_host *host, bool (*known)(void *context, int fd),
			 void *context)
{
	arena_populate(host->arena);
	atomic_store(&host->arena->serving, NULL);
	watch_resume(host);
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			crossvm_device_recover(&c->connection->device);
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			for (unsigned int i = 0; i < c->num_functions; i++)
				resume(host, &c->functions[i]);
	doorbells_resume(host);
	return sort_out_descriptors(host, known, context);
}
