/* SPDX-License-Identifier: BSD-2-Clause */
/* Going on after another process, which died at any instant. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host/internal.h"

static bool knows(const struct crossvm_host *host, int fd)
{
	if (fd == host->epoll || watch_knows(host, fd))
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
	return false;
}

static int sort_out_descriptors(struct crossvm_host *host, bool (*known)(void *context, int fd),
				void *context)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!directory) {
		const int error = -errno;

		host_log(host, CROSSVM_LOG_ERROR, "cannot list /proc/self/fd: %s; is /proc there?",
			 strerror(-error));
		return error;
	}
	while ((entry = readdir(directory))) {
		const int fd = atoi(entry->d_name);

		if (fd <= STDERR_FILENO || fd == dirfd(directory) || knows(host, fd) ||
		    adopt(host, fd) || !known || known(context, fd))
			continue;
		/* It may be watched still, and its other end not ours: closing would not end that. */
		epoll_ctl(host->epoll, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
	}
	closedir(directory);
	return 0;
}

int crossvm_host_recover(struct crossvm_host *host, bool (*known)(void *context, int fd),
			 void *context)
{
	arena_populate(host->arena);
	watch_resume(host);
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			crossvm_device_recover(&c->connection->device);
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			for (unsigned int i = 0; i < c->num_functions; i++)
				function_resume(&c->functions[i]);
	return sort_out_descriptors(host, known, context);
}
