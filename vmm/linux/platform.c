/* SPDX-License-Identifier: BSD-2-Clause */
/* The platform table on Linux: a connection's memory, its beginning and end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/guard.h"
#include "server/memory.h"
#include "vmm/linux/internal.h"

static struct crossvm_vmm *get(vm_t *vm)
{
	return vm->vmm;
}

static int set(vm_t *vm, struct crossvm_vmm *vmm)
{
	vm->vmm = vmm;
	return 0;
}

static void *allocate(vm_t *vm, size_t bytes)
{
	(void)vm;
	return calloc(1, bytes);
}

static void release(vm_t *vm, void *memory, size_t bytes)
{
	(void)vm;
	(void)bytes;
	free(memory);
}

static int create_status(struct host_connection *h)
{
	struct crossvm_vmm_connection *c = h->connection;
	const size_t offset =
		c->options.layout == CROSSVM_LAYOUT_SINGLE ? CROSSVM_SINGLE_STATUS_OFFSET : 0;

	h->status_file_bytes = offset + CROSSVM_PAGE_BYTES;
	h->status_fd = memory_create("crossvm-status", h->status_file_bytes);
	if (h->status_fd < 0)
		return h->status_fd;
	h->status_file = memory_map(h->status_fd, 0, h->status_file_bytes, true);
	if (!h->status_file)
		return -errno;
	c->device.status = (struct crossvm_status_page *)(void *)(h->status_file + offset);
	return guard_add(h->status_file, h->status_file_bytes, PROT_READ | PROT_WRITE);
}

static int create_dataport(struct host_connection *h)
{
	struct crossvm_vmm_connection *c = h->connection;
	const bool writable = (c->options.access & CROSSVM_ACCESS_WRITE) != 0;
	int error;

	if (!c->num_frames)
		return 0;
	error = memory_of_frames(c->frames, c->num_frames, c->frame_bytes, &h->dataport_fd,
				 &h->dataport_offset);
	if (error) {
		h->dataport_fd = -1;
		crossvm_vmm_error(c, "its frames do not follow each other in one sealed memory fd: "
				     "get them from crossvm_frames_from_memfd()");
		return error;
	}
	if (!writable) {
		h->dataport_fd = memory_reopen_read_only(h->dataport_fd);
		if (h->dataport_fd < 0)
			return h->dataport_fd;
		h->own_dataport_fd = true;
	}
	h->dataport =
		memory_map(h->dataport_fd, h->dataport_offset, c->options.dataport_bytes, writable);
	if (!h->dataport)
		return -errno;
	return guard_add(h->dataport, c->options.dataport_bytes,
			 PROT_READ | (writable ? PROT_WRITE : 0));
}

static void destroy(struct crossvm_vmm_connection *c)
{
	struct host_connection *h = c->platform;
	struct host_connection **link = &h->vm->connections;

	while (*link && *link != h)
		link = &(*link)->next;
	if (*link)
		*link = h->next;
	guard_remove(h->dataport);
	guard_remove(h->status_file);
	if (h->dataport)
		munmap(h->dataport, c->options.dataport_bytes);
	if (h->own_dataport_fd)
		close(h->dataport_fd);
	if (h->status_file)
		munmap(h->status_file, h->status_file_bytes);
	if (h->status_fd >= 0)
		close(h->status_fd);
	arena_release(h->vm->host->server->arena, h->state, sizeof(*h->state));
	free(h);
	c->platform = NULL;
}

static int create(struct crossvm_vmm_connection *c)
{
	struct host_connection *h;
	int error;

	if (c->pci != &c->vm->pci) {
		crossvm_vmm_error(c, "the PCI space is not its VM's: give crossvm_vm_pci(vm)");
		return -EINVAL;
	}
	h = calloc(1, sizeof(*h));
	if (!h) {
		crossvm_vmm_error(c, "no memory for it");
		return -ENOMEM;
	}
	h->vm = c->vm;
	h->connection = c;
	h->status_fd = -1;
	h->dataport_fd = -1;
	c->platform = h;
	h->state = arena_allocate(c->vm->host->server->arena, sizeof(*h->state));
	error = h->state ? create_status(h) : -ENOMEM;
	if (error)
		crossvm_vmm_error(c, "no memory for its device: %s", strerror(-error));
	if (!error) {
		error = create_dataport(h);
		if (error && error != -EINVAL)
			crossvm_vmm_error(c, "cannot map its dataport: %s", strerror(-error));
	}
	if (error) {
		destroy(c);
		return error;
	}
	c->device.state = &h->state->device;
	h->next = h->vm->connections;
	h->vm->connections = h;
	return 0;
}

static void remove_functions(struct crossvm_vmm_connection *c)
{
	struct host_connection *h = c->platform;

	doorbell_remove(h);
	while (h->num_functions)
		function_close(&h->functions[--h->num_functions]);
}

static int install(struct crossvm_vmm_connection *c)
{
	struct host_connection *h = c->platform;
	const unsigned int count = crossvm_device_function_count(c->device.state);
	int error;

	for (unsigned int i = 0; i < count; i++) {
		struct host_function *function = &h->functions[i];

		*function = (struct host_function){.connection = h,
						   .number = (enum crossvm_function)i,
						   .session = &h->state->sessions[i]};
		error = function_open(function);
		if (error) {
			remove_functions(c);
			return error;
		}
		h->num_functions++;
	}
	error = doorbell_install(h);
	if (error)
		remove_functions(c);
	return error;
}

static struct host_function *events_function(struct crossvm_vmm_connection *c)
{
	struct host_connection *h = c->platform;

	return &h->functions[CROSSVM_FUNCTION_EVENTS];
}

/* In this order: what a process that dies in between has not told, the next one tells. */
static void interrupt(struct crossvm_vmm_connection *c)
{
	struct host_connection *h = c->platform;
	struct host_function *function = events_function(c);
	const uint64_t total = h->state->device.total;
	const uint32_t generation = h->state->device.generation;

	vfio_user_interrupt(function->session, &function->device);
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&h->state->told_total, total, memory_order_release);
	atomic_store_explicit(&h->state->told_generation, generation, memory_order_release);
}

/*
 * All but what is said here stands in the device as it should, since a guest's message that was not
 * finished is applied again.
 */
void connection_resume(struct host_connection *h)
{
	struct crossvm_device_state *device = &h->state->device;

	const bool peers_untold = crossvm_device_wants_peer_changes(&h->connection->device) &&
				  device->generation != h->state->told_generation;

	if (device->publishing || device->total != h->state->told_total || peers_untold) {
		crossvm_device_recover(&h->connection->device);
		interrupt(h->connection);
	}
	for (unsigned int i = 0; i < h->num_functions; i++)
		function_resume(&h->functions[i]);
	server_mark(h->vm->host->server, h->status_fd);
	if (h->own_dataport_fd)
		server_mark(h->vm->host->server, h->dataport_fd);
}

static void interrupt_changed(struct crossvm_vmm_connection *c)
{
	struct host_function *function = events_function(c);

	vfio_user_intx_changed(function->session, &function->device);
}

static void control_changed(struct crossvm_vmm_connection *c, uint32_t control)
{
	if (c->doorbell)
		doorbell_control_changed(c->platform, control);
}

static void error_message(vm_t *vm, const char *message)
{
	if (vm)
		server_log(&vm->host->server->log, CROSSVM_LOG_ERROR, "VM \"%s\": %s", vm->name,
			   message);
	else
		fprintf(stderr, "crossvm: %s\n", message);
}

const struct crossvm_platform crossvm_platform = {
	.msi = true,
	.get = get,
	.set = set,
	.allocate = allocate,
	.release = release,
	.create = create,
	.destroy = destroy,
	.install = install,
	.remove = remove_functions,
	.interrupt = interrupt,
	.interrupt_changed = interrupt_changed,
	.control_changed = control_changed,
	.error = error_message,
};
