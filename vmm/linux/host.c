/* SPDX-License-Identifier: BSD-2-Clause */
/* A host: its beginning, its end, its log. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/linux/internal.h"

#define DEFAULT_ARENA_BYTES ((size_t)64 << 20)
#define MESSAGE_BYTES       512

/* What one VM's clients can make us log. */
#define LOG_WINDOW_SECONDS 10
#define LOG_PER_WINDOW     10

static void log_to_stderr(void *context, enum crossvm_log_level level, const char *message)
{
	(void)context;
	if (level <= CROSSVM_LOG_WARNING)
		fprintf(stderr, "crossvm: %s\n", message);
}

void host_log(const struct crossvm_host *host, enum crossvm_log_level level, const char *format,
	      ...)
{
	char message[MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	host->log(host->log_context, level, message);
}

bool host_may_log(const struct crossvm_host *host, struct log_limit *limit)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - limit->window >= LOG_WINDOW_SECONDS || limit->window == 0) {
		if (limit->suppressed)
			host_log(host, CROSSVM_LOG_WARNING, "%u similar messages were left out",
				 limit->suppressed);
		*limit = (struct log_limit){.window = now.tv_sec};
	}
	if (limit->logged < LOG_PER_WINDOW) {
		limit->logged++;
		return true;
	}
	limit->suppressed++;
	return false;
}

int crossvm_host_create(const struct crossvm_host_options *options, struct crossvm_host **host)
{
	struct crossvm_host *created = calloc(1, sizeof(*created));
	int error;

	*host = NULL;
	if (!created)
		return -ENOMEM;
	created->log = options->log ? options->log : log_to_stderr;
	created->log_context = options->log_context;
	created->arena =
		arena_create(options->arena_bytes ? options->arena_bytes : DEFAULT_ARENA_BYTES);
	if (!created->arena) {
		error = -errno;
		host_log(created, CROSSVM_LOG_ERROR, "no memory for the arena");
		goto free_host;
	}
	created->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (created->epoll < 0) {
		error = -errno;
		host_log(created, CROSSVM_LOG_ERROR, "cannot create an epoll descriptor: %s",
			 strerror(errno));
		goto free_arena;
	}
	created->descriptors = opendir("/proc/self/fd");
	if (!created->descriptors) {
		error = -errno;
		host_log(created, CROSSVM_LOG_ERROR,
			 "cannot list /proc/self/fd: %s; is /proc there?", strerror(-error));
		goto close_epoll;
	}
	*host = created;
	return 0;

close_epoll:
	close(created->epoll);
free_arena:
	arena_destroy(created->arena);
free_host:
	free(created);
	return error;
}

void crossvm_host_destroy(struct crossvm_host *host)
{
	if (!host)
		return;
	assert(!host->vms);
	closedir(host->descriptors);
	close(host->epoll);
	arena_destroy(host->arena);
	free(host);
}

int crossvm_host_fd(const struct crossvm_host *host)
{
	return host->epoll;
}

void *crossvm_host_allocate(struct crossvm_host *host, size_t bytes)
{
	return arena_allocate(host->arena, bytes);
}

uint64_t crossvm_host_message_id(const struct crossvm_host *host)
{
	const struct vfio_user_session *session = atomic_load(&host->arena->serving);

	return session ? vfio_user_message_id(session) : 0;
}

int crossvm_host_alloc_irq(void)
{
	return 1;
}
