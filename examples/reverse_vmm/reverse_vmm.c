/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM of one's own: gives a guest one connection, "reverser", and is itself the other side of it.
 * Each text that the guest puts into the dataport comes back reversed; ../reverser/reverse.c is the
 * guest's side.
 *
 *	reverse_vmm DIRECTORY
 *
 * Prints what to add to QEMU's command line (its sockets are in DIRECTORY) and serves until SIGINT
 * or SIGTERM.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cross_vm_connection.h>
#include <crossvm/host.h>

#include "../reverser/text.h"

#define DATAPORT_BYTES 4096
#define CONSUME_ID     1

struct reverser {
	vm_t *vm;
	struct text_pair *pair;
};

static volatile sig_atomic_t running = 1;

static void stop(int signal)
{
	(void)signal;
	running = 0;
}

/* The guest emitted: there is a question. */
static void answer(void *context)
{
	struct reverser *reverser = context;
	char question[TEXT_BYTES];
	size_t length = text_take(question, reverser->pair->question);

	for (size_t i = 0; i < length; i++)
		reverser->pair->answer[i] = question[length - 1 - i];
	reverser->pair->answer[length] = '\0';
	consume_connection_event(reverser->vm, CONSUME_ID, true);
}

static const struct crossvm_connection_callbacks callbacks = {.emit = answer};

static void connect_guest(struct reverser *reverser, int dataport)
{
	seL4_CPtr frame;
	crossvm_dataport_handle_t handle = {
		.size = DATAPORT_BYTES, .num_frames = 1, .frames = &frame};
	const struct crossvm_connection_options connection = {
		.handle = {.dataport = &handle,
			   .consume_id = CONSUME_ID,
			   .connection_name = "reverser"},
		.callbacks = &callbacks,
		.context = reverser,
	};

	if (crossvm_frames_from_memfd(dataport, 0, DATAPORT_BYTES, 1, &frame))
		errx(1, "cannot use the dataport");
	if (crossvm_connections_init(reverser->vm, 0, &connection, 1, crossvm_vm_pci(reverser->vm),
				     crossvm_host_alloc_irq))
		exit(1); /* it has said why */
}

static void print_qemu_args(const vm_t *vm)
{
	char **args;

	if (crossvm_vm_qemu_args(vm, &args))
		exit(1);
	for (char **arg = args; *arg; arg += 2)
		printf("%s '%s'%s\n", arg[0], arg[1], arg[2] ? " \\" : "");
	fflush(stdout);
	free(args);
}

int main(int argc, char **argv)
{
	struct reverser reverser;
	struct crossvm_host *host;
	int dataport;
	int error = 0;

	if (argc != 2)
		errx(2, "usage: reverse_vmm DIRECTORY");
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	if (crossvm_host_create(&(struct crossvm_host_options){0}, &host) ||
	    crossvm_vm_create(host,
			      &(struct crossvm_vm_options){.name = "guest", .socket_dir = argv[1]},
			      &reverser.vm))
		return 1;
	error = crossvm_dataport_create("reverser", DATAPORT_BYTES, &dataport);
	if (error)
		errx(1, "cannot create the dataport: %s", strerror(-error));
	reverser.pair = mmap(NULL, DATAPORT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, dataport, 0);
	if (reverser.pair == MAP_FAILED)
		err(1, "cannot map the dataport");

	connect_guest(&reverser, dataport);
	print_qemu_args(reverser.vm);
	while (running && error >= 0)
		error = crossvm_host_dispatch(host, -1);

	crossvm_connections_destroy(reverser.vm);
	crossvm_vm_destroy(reverser.vm);
	crossvm_host_destroy(host);
	return error < 0;
}
