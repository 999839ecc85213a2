/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's serial console: kept in a log of bounded size, shown to whoever has attached.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lab/keeper.h"

#define LOG_LIMIT   (8u << 20)
#define INPUT_LIMIT 65536

/* A log that is full begins anew; the one before it stays as ".old". */
static void write_log(struct lab_vm *vm, const void *bytes, size_t length)
{
	char path[PATH_MAX], old[PATH_MAX];

	if (vm->console_logged > LOG_LIMIT && vm->console_log >= 0) {
		close(vm->console_log);
		vm->console_log = -1;
		lab_keeper_file(vm->keeper, vm->config->name, ".console.log", path);
		lab_keeper_file(vm->keeper, vm->config->name, ".console.log.old", old);
		(void)rename(path, old);
	}
	if (vm->console_log < 0) {
		lab_keeper_file(vm->keeper, vm->config->name, ".console.log", path);
		vm->console_log =
			open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		vm->console_logged = 0;
	}
	/* A full disk costs the log, not the VM. */
	if (vm->console_log >= 0 && write(vm->console_log, bytes, length) > 0)
		vm->console_logged += length;
}

static void update(struct lab_vm *vm)
{
	bool more = lab_buffer_used(&vm->console_out) > 0;

	lab_loop_change(&vm->keeper->loop, vm->console_watch,
			EPOLLIN | (more ? (uint32_t)EPOLLOUT : 0));
}

static void on_console(void *context, uint32_t events)
{
	struct lab_vm *vm = context;
	char bytes[8192];
	ssize_t n;

	(void)events;
	n = read(vm->console_fd, bytes, sizeof(bytes));
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		lab_loop_remove(&vm->keeper->loop, vm->console_watch);
		vm->console_watch = NULL;
		return;
	}
	if (n > 0) {
		write_log(vm, bytes, (size_t)n);
		lab_clients_console(vm, bytes, (size_t)n);
	}
	if (lab_buffer_write(&vm->console_out, vm->console_fd) < 0)
		lab_buffer_clear(&vm->console_out);
	update(vm);
}

int lab_console_attach(struct lab_vm *vm, int fd)
{
	int error =
		lab_loop_add(&vm->keeper->loop, fd, EPOLLIN, on_console, vm, &vm->console_watch);

	if (error)
		return error;
	vm->console_fd = fd;
	vm->console_log = -1;
	vm->console_out.limit = INPUT_LIMIT;
	return 0;
}

void lab_console_detach(struct lab_vm *vm)
{
	char bytes[8192];
	ssize_t n;

	if (vm->console_out.limit == 0)
		return;
	/* What it said last is what matters most. */
	while ((n = read(vm->console_fd, bytes, sizeof(bytes))) > 0) {
		write_log(vm, bytes, (size_t)n);
		lab_clients_console(vm, bytes, (size_t)n);
	}
	lab_loop_remove(&vm->keeper->loop, vm->console_watch);
	vm->console_watch = NULL;
	close(vm->console_fd);
	if (vm->console_log >= 0)
		close(vm->console_log);
	lab_buffer_clear(&vm->console_out);
	vm->console_out.limit = 0;
}

int lab_console_input(struct lab_vm *vm, const void *bytes, size_t length)
{
	int error =
		vm->console_out.limit ? lab_buffer_add(&vm->console_out, bytes, length) : -ENODEV;

	update(vm);
	return error;
}
