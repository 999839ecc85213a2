/* SPDX-License-Identifier: BSD-2-Clause */
/* A host: its beginning, its end, what it watches for others, and going on after another process. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmm/linux/internal.h"

#define DEFAULT_ARENA_BYTES ((size_t)64 << 20)
#define MAX_FDS             ((size_t)1 << 16)

/* A descriptor that the program watches. */
struct watch_slot {
	struct watch_slot *next;
	struct watch_owner owner;
	int fd;
	uint32_t events;
	crossvm_host_watch_fn function;
	void *context;
};

static void log_to_stderr(void *context, enum crossvm_log_level level, const char *message)
{
	(void)context;
	if (level <= CROSSVM_LOG_WARNING)
		fprintf(stderr, "crossvm: %s\n", message);
}

int linux_host_create(struct server *server, struct crossvm_host **host)
{
	*host = calloc(1, sizeof(**host));
	if (!*host)
		return -ENOMEM;
	(*host)->server = server;
	vfio_user_prepare();
	return 0;
}

static size_t max_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > MAX_FDS)
		return MAX_FDS;
	return limit.rlim_cur;
}

int crossvm_host_create(const struct crossvm_host_options *options, struct crossvm_host **host)
{
	const struct server_log log = {.function = options->log ? options->log : log_to_stderr,
				       .context = options->log_context};
	struct server *server = calloc(1, sizeof(*server));
	int error;

	*host = NULL;
	if (!server)
		return -ENOMEM;
	error = server_create(server, &log,
			      options->arena_bytes ? options->arena_bytes : DEFAULT_ARENA_BYTES,
			      max_fds());
	if (!error)
		error = linux_host_create(server, host);
	if (error) {
		server_destroy(server);
		free(server);
		return error;
	}
	(*host)->own_server = server;
	return 0;
}

void crossvm_host_destroy(struct crossvm_host *host)
{
	if (!host)
		return;
	assert(!host->vms);
	while (host->slots) {
		struct watch_slot *slot = host->slots;

		host->slots = slot->next;
		watches_remove(host->server->watches, slot->fd);
		free(slot);
	}
	if (host->own_server)
		server_destroy(host->own_server);
	free(host->own_server);
	free(host);
}

int crossvm_host_fd(const struct crossvm_host *host)
{
	return watches_fd(host->server->watches);
}

int crossvm_host_dispatch(struct crossvm_host *host, int timeout_ms)
{
	return server_turn(host->server, timeout_ms);
}

void *crossvm_host_allocate(struct crossvm_host *host, size_t bytes)
{
	return arena_allocate(host->server->arena, bytes);
}

uint64_t crossvm_host_message_id(const struct crossvm_host *host)
{
	return server_message(host->server);
}

int crossvm_host_alloc_irq(void)
{
	return 1;
}

/* What the program watches. */

static unsigned int slot_ready(void *context, uint32_t events, unsigned int budget)
{
	const struct watch_slot *slot = context;

	(void)budget;
	slot->function(slot->context, events);
	return 1;
}

static int watch_slot(struct crossvm_host *host, struct watch_slot *slot)
{
	return watches_set(host->server->watches, slot->fd, slot->events, &slot->owner, slot_ready,
			   slot);
}

int crossvm_host_watch(struct crossvm_host *host, int fd, uint32_t events,
		       crossvm_host_watch_fn function, void *context)
{
	struct watch_slot *slot;
	int error;

	crossvm_host_unwatch(host, fd);
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	*slot = (struct watch_slot){.next = host->slots,
				    .fd = fd,
				    .events = events,
				    .function = function,
				    .context = context};
	error = watch_slot(host, slot);
	if (error) {
		free(slot);
		return error;
	}
	host->slots = slot;
	return 0;
}

void crossvm_host_unwatch(struct crossvm_host *host, int fd)
{
	struct watch_slot **link = &host->slots;
	struct watch_slot *slot;

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	slot = *link;
	if (!slot)
		return;
	*link = slot->next;
	watches_remove(host->server->watches, fd);
	free(slot);
}

/* Going on after another process, which died at any instant. */

void crossvm_host_blame(struct crossvm_host *host)
{
	host->blames = true;
}

void linux_host_resume(struct crossvm_host *host)
{
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next)
			connection_resume(c);
	doorbells_resume(host);
}

static bool knows_all(void *context, int fd)
{
	(void)context;
	(void)fd;
	return true;
}

int crossvm_host_recover(struct crossvm_host *host, bool (*known)(void *context, int fd),
			 void *context)
{
	const int error = server_renew(host->server, host->blames);

	host->blames = false;
	if (error)
		return error;
	for (struct watch_slot *slot = host->slots; slot; slot = slot->next) {
		server_mark(host->server, slot->fd);
		watch_slot(host, slot);
	}
	linux_host_resume(host);
	server_sort_out(host->server, known ? known : knows_all, context);
	return 0;
}

/* The end. */

void linux_host_take_leave(struct crossvm_host *host)
{
	for (struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (struct host_connection *c = vm->connections; c; c = c->next) {
			doorbell_take_leave(c);
			for (unsigned int i = 0; i < c->num_functions; i++)
				function_take_leave(&c->functions[i]);
		}
}

void linux_host_unlink(const struct crossvm_host *host)
{
	for (const struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (const struct host_connection *c = vm->connections; c; c = c->next)
			for (unsigned int i = 0; i < c->num_functions; i++)
				listener_unlink(&c->functions[i].acceptor.listener);
	doorbells_unlink(host);
}

/* Who somebody is. */

#define OWNER_VM (UINT64_C(1) << 32) /* and its number below; a user is below that */

uint64_t linux_vm_owner(const vm_t *vm)
{
	return OWNER_VM | vm->number;
}

bool linux_name_owner(const struct crossvm_host *host, uint64_t owner, char *text, size_t bytes)
{
	for (const struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		if (linux_vm_owner(vm) == owner) {
			snprintf(text, bytes, "VM \"%s\"", vm->name);
			return true;
		}
	return false;
}

bool linux_name_wire(const struct crossvm_host *host, uint64_t offset, char *text, size_t bytes)
{
	for (const struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		for (const struct host_connection *c = vm->connections; c; c = c->next)
			for (unsigned int i = 0; i < c->num_functions; i++) {
				if (arena_offset(host->server->arena,
						 &c->functions[i].session->wire) != offset)
					continue;
				snprintf(text, bytes, "VM \"%s\", connection \"%s\" (%s)", vm->name,
					 c->connection->options.name,
					 function_part_name(c->functions[i].number));
				return true;
			}
	return false;
}
