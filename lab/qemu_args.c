/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/qemu_args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/host.h>

#define MEMORY_DEFAULT_MIB 256
#define CHUNK              16

struct args {
	char **list;
	size_t count;
	size_t capacity;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct args *args, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	if (args->count + 1 >= args->capacity) {
		char **list = realloc(args->list, (args->capacity + CHUNK) * sizeof(*args->list));

		if (!list) {
			args->failed = true;
			return;
		}
		args->list = list;
		args->capacity += CHUNK;
	}
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	args->failed = args->failed || !text;
	args->list[args->count] = text;
	if (text)
		args->count++;
	args->list[args->count] = NULL;
}

static void add_path(struct args *args, const char *option, const char *path)
{
	add(args, "%s", option);
	add(args, "%s", path);
}

static void add_machine(struct args *args, const struct lab_qemu *qemu)
{
	const struct crossvm_system_vm *vm = &qemu->system->vms[qemu->vm];
	const char *accel = qemu->accel == LAB_KVM ? "kvm" : "tcg";
	unsigned long long mib = vm->memory_bytes ? vm->memory_bytes >> 20 : MEMORY_DEFAULT_MIB;

	add(args, "-machine");
	if (vm->arch == CROSSVM_ARCH_AARCH64)
		add(args, "virt,gic-version=3,accel=%s", accel);
	else
		add(args, "q35,accel=%s", accel);
	add(args, "-cpu");
	if (qemu->accel == LAB_KVM)
		add(args, "host");
	else
		/* QEMU's own pointer authentication is slow to emulate; this one is for it. */
		add(args, vm->arch == CROSSVM_ARCH_AARCH64 ? "max,pauth-impdef=on" : "max");
	add(args, "-m");
	add(args, "%lluM", mib);
}

/* @return the words with a space before each, to be freed; NULL: no memory. */
static char *join(char *const *words)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	for (; words && *words; words++)
		fprintf(out, " %s", *words);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void add_boot(struct args *args, const struct lab_qemu *qemu)
{
	const struct crossvm_system_vm *vm = &qemu->system->vms[qemu->vm];
	const char *console = vm->arch == CROSSVM_ARCH_AARCH64 ? "ttyAMA0" : "ttyS0";
	char *more = join(vm->kernel_args);

	add_path(args, "-kernel", qemu->kernel);
	add_path(args, "-initrd", qemu->initramfs);
	add(args, "-append");
	add(args,
	    "console=%s quiet panic=-1 mitigations=off random.trust_cpu=on cryptomgr.notests "
	    "crossvm.name=%s%s",
	    console, vm->name, more ? more : "");
	args->failed = args->failed || !more;
	free(more);
}

static int add_connections(struct args *args, const struct lab_qemu *qemu)
{
	size_t count;
	struct crossvm_qemu_connection *connections =
		crossvm_system_qemu_connections(qemu->system, qemu->vm, &count);
	char **devices = NULL;
	int error;

	if (!connections)
		return -ENOMEM;
	error = crossvm_qemu_args(qemu->socket_dir, qemu->system->vms[qemu->vm].name, connections,
				  count, &devices);
	for (size_t i = 0; !error && devices[i]; i++)
		add(args, "%s", devices[i]);
	free(devices);
	free(connections);
	return error;
}

/* The agent's port, the console and the monitor are sockets that the keeper has connected. */
static void add_channels(struct args *args, const struct lab_qemu *qemu)
{
	add(args, "-chardev");
	add(args, "socket,id=console,fd=%d", qemu->console_fd);
	add(args, "-serial");
	add(args, "chardev:console");
	add(args, "-chardev");
	add(args, "socket,id=monitor,fd=%d", qemu->qmp_fd);
	add(args, "-qmp");
	add(args, "chardev:monitor");
	add(args, "-device");
	add(args, "virtio-serial-pci,id=lab");
	add(args, "-chardev");
	add(args, "socket,id=agent,fd=%d", qemu->agent_fd);
	add(args, "-device");
	add(args, "virtserialport,chardev=agent,name=crossvm.agent");
}

static void add_more(struct args *args, const struct lab_qemu *qemu)
{
	char *const *more = qemu->system->vms[qemu->vm].qemu_args;

	for (; more && *more; more++)
		add(args, "%s", *more);
}

int lab_qemu_args(const struct lab_qemu *qemu, char ***args)
{
	struct args built = {0};
	int error;

	add(&built, "%s", qemu->program);
	add(&built, "-name");
	add(&built, "%s/%s", qemu->lab, qemu->system->vms[qemu->vm].name);
	add(&built, "-nodefaults");
	add(&built, "-no-user-config");
	add(&built, "-display");
	add(&built, "none");
	add_machine(&built, qemu);
	add_boot(&built, qemu);
	add_channels(&built, qemu);
	error = add_connections(&built, qemu);
	add_more(&built, qemu);
	if (built.failed)
		error = -ENOMEM;
	if (error) {
		lab_qemu_args_free(built.list);
		return error;
	}
	*args = built.list;
	return 0;
}

void lab_qemu_args_free(char **args)
{
	for (size_t i = 0; args && args[i]; i++)
		free(args[i]);
	free(args);
}
