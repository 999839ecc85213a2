/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/keeper.h"
#include "lab/qemu_args.h"
#include "lab/report.h"

#define LOG_LINES 12
/* A VM whose QEMU does not end when told to. */
#define KILL_MS 3000
/* Where KVM works a guest is there in a second or two. */
#define KVM_PROBE_MS 10000
/* Emulated, on a machine that does much else: a bound, not an expectation. */
#define BOOT_MS 180000

enum channel {
	CHANNEL_AGENT,
	CHANNEL_CONSOLE,
	CHANNEL_QMP,
	CHANNELS,
};

struct lab_vm *lab_vm_find(struct lab_keeper *keeper, const char *name)
{
	ssize_t index = crossvm_system_find_vm(keeper->system, name);

	return index < 0 ? NULL : &keeper->vms[index];
}

const char *lab_vm_state_name(const struct lab_vm *vm)
{
	switch (vm->state) {
	case LAB_VM_BOOTING:
		return "booting";
	case LAB_VM_READY:
		return "ready";
	default:
		return "off";
	}
}

static void show_logs(const struct lab_vm *vm)
{
	char path[PATH_MAX];

	lab_keeper_file(vm->keeper, vm->config->name, ".qemu.log", path);
	lab_show_tail(path, LOG_LINES);
	lab_keeper_file(vm->keeper, vm->config->name, ".console.log", path);
	lab_show_tail(path, LOG_LINES);
}

static void detach(struct lab_vm *vm, const char *why)
{
	lab_timer_clear(&vm->keeper->loop, &vm->boot_timer);
	lab_timer_clear(&vm->keeper->loop, &vm->kill_timer);
	lab_agent_detach(vm, why);
	lab_console_detach(vm);
	lab_qmp_detach(vm);
}

/* KVM has had its chance: this VM, and all that start from now on, are emulated. */
static void fall_back(struct lab_vm *vm)
{
	struct lab_keeper *keeper = vm->keeper;

	if (keeper->accel_choice == LAB_ACCEL_TRY) {
		lab_progress("KVM does not run guests on this machine: emulating, which is slower");
		lab_accel_remember_failure(keeper->paths->data);
		keeper->accel_choice = LAB_ACCEL_TCG;
	}
	vm->restart = true;
	lab_vm_stop(vm);
}

static bool may_fall_back(const struct lab_vm *vm)
{
	return vm->accel == LAB_KVM && vm->state == LAB_VM_BOOTING && !vm->keeper->kvm_proven &&
	       vm->keeper->accel_choice != LAB_ACCEL_KVM && vm->keeper->state != LAB_STOPPING;
}

static void on_boot_timer(void *context)
{
	struct lab_vm *vm = context;

	if (may_fall_back(vm)) {
		fall_back(vm);
		return;
	}
	lab_error("VM %s did not boot within %d s; the end of its console:", vm->config->name,
		  BOOT_MS / 1000);
	show_logs(vm);
	if (vm->keeper->state == LAB_STARTING)
		lab_keeper_fail(vm->keeper);
	else
		lab_vm_stop(vm);
}

static void on_kill_timer(void *context)
{
	struct lab_vm *vm = context;

	lab_process_signal(&vm->process, SIGKILL);
}

/* It has ended of itself. */
static void died(struct lab_vm *vm, enum lab_vm_state before, int status)
{
	char how[64];

	lab_describe_status(status, how, sizeof(how));
	if (before == LAB_VM_BOOTING || status != 0) {
		lab_error("VM %s ended (%s)%s; the last it said:", vm->config->name, how,
			  before == LAB_VM_BOOTING ? " before it was ready" : "");
		show_logs(vm);
	}
	if (vm->keeper->state == LAB_STARTING)
		lab_keeper_fail(vm->keeper);
}

static void on_process(void *context, uint32_t events)
{
	struct lab_vm *vm = context;
	enum lab_vm_state before = vm->state;
	bool fallback = may_fall_back(vm) && !vm->stopping;
	int status;

	(void)events;
	lab_loop_remove(&vm->keeper->loop, vm->process_watch);
	vm->process_watch = NULL;
	if (!lab_process_reap(&vm->process, &status))
		return;
	detach(vm, "the VM has ended");
	vm->state = LAB_VM_OFF;
	if (fallback)
		fall_back(vm);
	else if (!vm->stopping)
		died(vm, before, status);
	vm->stopping = false;
	if (vm->restart && vm->keeper->state != LAB_STOPPING && lab_vm_start(vm) < 0)
		lab_keeper_fail(vm->keeper);
	lab_clients_vm_changed(vm);
	lab_keeper_check(vm->keeper);
}

static void close_pairs(int pairs[CHANNELS][2], int side)
{
	for (int i = 0; i < CHANNELS; i++) {
		if (pairs[i][side] >= 0)
			close(pairs[i][side]);
		pairs[i][side] = -1;
	}
}

static int make_pairs(int pairs[CHANNELS][2])
{
	memset(pairs, 0xff, CHANNELS * sizeof(*pairs));
	for (int i = 0; i < CHANNELS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pairs[i]) <
		    0)
			return -errno;
	return 0;
}

static int run_qemu(struct lab_vm *vm, int pairs[CHANNELS][2])
{
	struct lab_keeper *keeper = vm->keeper;
	char kernel[PATH_MAX], log[PATH_MAX];
	struct lab_qemu qemu = {.program = vm->qemu,
				.lab = keeper->rundir.name,
				.system = keeper->system,
				.vm = (size_t)(vm - keeper->vms),
				.accel = vm->accel,
				.kernel = kernel,
				.initramfs = vm->image,
				.socket_dir = LAB_SOCKETS,
				.agent_fd = pairs[CHANNEL_AGENT][1],
				.console_fd = pairs[CHANNEL_CONSOLE][1],
				.qmp_fd = pairs[CHANNEL_QMP][1]};
	int fds[CHANNELS] = {qemu.agent_fd, qemu.console_fd, qemu.qmp_fd};
	struct lab_spawn spawn = {
		.cwd = keeper->rundir.path, .log = log, .fds = fds, .num_fds = CHANNELS};
	char **args;
	int error;

	if (snprintf(kernel, sizeof(kernel), "%s/vmlinuz", vm->kernel) >= PATH_MAX)
		return -ENAMETOOLONG;
	lab_keeper_file(keeper, vm->config->name, ".qemu.log", log);
	error = lab_qemu_args(&qemu, &args);
	if (error)
		return error;
	spawn.argv = (const char *const *)args;
	error = lab_process_start(&vm->process, &spawn);
	lab_qemu_args_free(args);
	return error;
}

static int attach(struct lab_vm *vm, int pairs[CHANNELS][2])
{
	int error = lab_guard_add(&vm->keeper->guard, &vm->process);

	if (!error)
		error = lab_loop_add(&vm->keeper->loop, vm->process.pidfd, EPOLLIN, on_process, vm,
				     &vm->process_watch);
	if (!error)
		error = lab_agent_attach(vm, pairs[CHANNEL_AGENT][0]);
	if (!error)
		pairs[CHANNEL_AGENT][0] = -1;
	if (!error)
		error = lab_console_attach(vm, pairs[CHANNEL_CONSOLE][0]);
	if (!error)
		pairs[CHANNEL_CONSOLE][0] = -1;
	if (!error)
		error = lab_qmp_attach(vm, pairs[CHANNEL_QMP][0]);
	if (!error)
		pairs[CHANNEL_QMP][0] = -1;
	return error;
}

static enum lab_accel choose_accel(const struct lab_vm *vm)
{
	bool native = vm->config->arch == lab_native_arch();

	return native && vm->keeper->accel_choice != LAB_ACCEL_TCG ? LAB_KVM : LAB_TCG;
}

static void booting(struct lab_vm *vm)
{
	vm->state = LAB_VM_BOOTING;
	vm->started_ms = lab_now_ms();
	vm->boot_timer.fn = on_boot_timer;
	vm->boot_timer.context = vm;
	lab_timer_set(&vm->keeper->loop, &vm->boot_timer,
		      may_fall_back(vm) ? KVM_PROBE_MS : BOOT_MS);
}

void lab_vm_was_reset(struct lab_vm *vm)
{
	lab_agent_reset(vm, "the VM was reset");
	/* A kernel that panics resets the machine, and would do so for ever. */
	if (vm->keeper->state == LAB_STARTING && vm->state == LAB_VM_BOOTING) {
		lab_error("VM %s was reset before it was ready; the end of its console:",
			  vm->config->name);
		show_logs(vm);
		lab_keeper_fail(vm->keeper);
		return;
	}
	if (vm->state == LAB_VM_READY && !vm->stopping)
		booting(vm);
}

int lab_vm_start(struct lab_vm *vm)
{
	int pairs[CHANNELS][2];
	int error = make_pairs(pairs);

	vm->restart = false;
	vm->stopping = false;
	vm->accel = choose_accel(vm);
	if (!error)
		error = run_qemu(vm, pairs);
	close_pairs(pairs, 1);
	if (!error)
		error = attach(vm, pairs);
	close_pairs(pairs, 0);
	if (error) {
		lab_error("cannot start VM %s: %s%s", vm->config->name, strerror(-error),
			  error == -EMFILE ? " (see ulimit -n)" : "");
		if (!vm->process_watch)
			lab_process_signal(&vm->process, SIGKILL);
		detach(vm, "the VM did not start");
		return error;
	}
	booting(vm);
	return 0;
}

void lab_vm_stop(struct lab_vm *vm)
{
	if (vm->process.pid == 0 || vm->stopping)
		return;
	vm->stopping = true;
	lab_timer_clear(&vm->keeper->loop, &vm->boot_timer);
	lab_process_signal(&vm->process, SIGTERM);
	vm->kill_timer.fn = on_kill_timer;
	vm->kill_timer.context = vm;
	lab_timer_set(&vm->keeper->loop, &vm->kill_timer, KILL_MS);
}

void lab_vm_is_ready(struct lab_vm *vm)
{
	if (vm->state == LAB_VM_READY)
		return;
	vm->state = LAB_VM_READY;
	vm->ready_ms = lab_now_ms() - vm->started_ms;
	lab_timer_clear(&vm->keeper->loop, &vm->boot_timer);
	if (vm->accel == LAB_KVM)
		vm->keeper->kvm_proven = true;
	lab_progress("VM %s is ready after %.1f s (%s)", vm->config->name,
		     (double)vm->ready_ms / 1000, vm->accel == LAB_KVM ? "KVM" : "emulated");
	lab_clients_vm_changed(vm);
	lab_keeper_check(vm->keeper);
}

void lab_vm_destroy(struct lab_vm *vm)
{
	detach(vm, "the lab has ended");
	lab_loop_remove(&vm->keeper->loop, vm->process_watch);
	vm->process_watch = NULL;
}
