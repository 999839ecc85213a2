/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvm lab up: gets what the guests need, writes their images, and leaves the lab to its keeper.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/commands.h"
#include "lab/guest_image.h"
#include "lab/keeper.h"
#include "lab/report.h"

#define END_MS 30000

struct up {
	struct lab_options options;
	struct lab_paths paths;
	struct crossvm_system *system;
	struct lab_keeper keeper;
	char images[PATH_MAX];
	char busybox[LAB_ARCHES][PATH_MAX];
	char module[LAB_ARCHES][PATH_MAX];
	char kernel[LAB_ARCHES][PATH_MAX];
	char qemu[LAB_ARCHES][PATH_MAX];
	bool prepared[LAB_ARCHES];
};

static int prepare_arch(struct up *up, enum crossvm_arch arch)
{
	const char *arguments[] = {lab_arch_name(arch), NULL};
	const char *of_module[] = {lab_arch_name(arch), "bookworm", up->paths.module, NULL};
	int error;

	if (up->prepared[arch])
		return 0;
	up->prepared[arch] = true;
	error = lab_check_guest_programs(&up->paths, arch);
	if (!error)
		error = lab_run_setup(&up->paths, "qemu", arguments, up->qemu[arch], PATH_MAX);
	if (!error)
		error = lab_run_setup(&up->paths, "kernel", arguments, up->kernel[arch], PATH_MAX);
	if (!error)
		error = lab_run_setup(&up->paths, "busybox", arguments, up->busybox[arch],
				      PATH_MAX);
	if (!error)
		error = lab_run_setup(&up->paths, "module", of_module, up->module[arch], PATH_MAX);
	return error;
}

static int prepare(struct up *up)
{
	int error = 0;

	for (size_t i = 0; i < up->system->num_vms && !error; i++)
		error = prepare_arch(up, up->system->vms[i].arch);
	return error;
}

static int write_image(struct up *up, size_t i)
{
	const struct crossvm_system_vm *config = &up->system->vms[i];
	struct lab_vm *vm = &up->keeper.vms[i];
	struct lab_guest_parts parts = {.agent = up->paths.agent[config->arch],
					.busybox = up->busybox[config->arch],
					.kernel = up->kernel[config->arch],
					.module = up->module[config->arch],
					.crossvm = up->paths.guest_crossvm[config->arch]};

	vm->keeper = &up->keeper;
	vm->config = config;
	snprintf(vm->qemu, sizeof(vm->qemu), "%s", up->qemu[config->arch]);
	snprintf(vm->kernel, sizeof(vm->kernel), "%s", up->kernel[config->arch]);
	if (snprintf(vm->image, sizeof(vm->image), "%s/%s.cpio", up->images, config->name) >=
	    PATH_MAX)
		return -ENAMETOOLONG;
	return lab_guest_image(vm->image, config, &parts);
}

static int write_images(struct up *up)
{
	int error = 0;

	up->keeper.vms = calloc(up->system->num_vms, sizeof(*up->keeper.vms));
	if (!up->keeper.vms)
		return -ENOMEM;
	for (size_t i = 0; i < up->system->num_vms && !error; i++)
		error = write_image(up, i);
	return error;
}

/* From here on the guard removes what we leave, however we end. */
static int make_folders(struct up *up, const char *name)
{
	char path[PATH_MAX];
	int error = lab_rundir_create(&up->keeper.rundir, name);

	if (error)
		return error;
	if (snprintf(up->images, PATH_MAX, "%s/lab", up->paths.data) >= PATH_MAX - 64)
		return -ENAMETOOLONG;
	(void)mkdir(up->images, 0755);
	snprintf(up->images + strlen(up->images), 64, "/%s.%d", name, (int)getpid());
	lab_keeper_file(&up->keeper, "images", "", path);
	error = symlink(up->images, path) < 0 ? -errno : 0;
	if (!error)
		error = lab_guard_start(&up->keeper.guard, &up->keeper.rundir, up->images);
	if (!error && mkdir(up->images, 0700) < 0)
		error = -errno;
	if (error) {
		lab_error("cannot make the lab's folders: %s", strerror(-error));
		if (up->keeper.guard.fd <= 0)
			lab_rundir_remove(&up->keeper.rundir);
	}
	return error;
}

static void run_keeper(struct up *up, int launcher_fd)
{
	setsid();
	up->keeper.launcher_fd = launcher_fd;
	exit(lab_keeper_main(&up->keeper));
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void say_ready(const struct up *up)
{
	const char *lab = up->keeper.rundir.name;
	const char *vm = up->system->num_vms > 0 ? up->system->vms[0].name : "VM";

	lab_progress("lab %s is up; try: crossvm lab exec %s -- uname -a", lab, vm);
	lab_progress(up->options.foreground ? "Ctrl-C ends it"
					    : "end it with: crossvm lab down --lab %s",
		     lab);
}

/*
 * Wait for the keeper's word, or for a signal, which ends the lab by closing the socket.
 *
 * @return the exit status; -1: go on waiting.
 */
static int wait_once(struct up *up, int fd, int signal_fd, bool *ready)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
	struct signalfd_siginfo info;
	char byte;

	if (poll(fds, 2, -1) < 0)
		return -1;
	if (fds[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		lab_progress("ending the lab");
		return *ready ? 0 : 128 + (int)info.ssi_signo;
	}
	if (!fds[0].revents)
		return -1;
	if (read(fd, &byte, 1) != 1)
		return *ready ? 0 : 1;
	*ready = true;
	say_ready(up);
	return up->options.foreground ? -1 : 0;
}

static int wait_for_keeper(struct up *up, int fd)
{
	int signal_fd = open_signals();
	bool ready = false;
	int status = -1;

	while (status < 0)
		status = wait_once(up, fd, signal_fd, &ready);
	close(fd);
	close(signal_fd);
	if (ready && !up->options.foreground)
		return status;
	/* The guard holds the folder until all is gone. */
	(void)lab_rundir_wait_gone(&up->keeper.rundir, END_MS);
	return status;
}

static int start_keeper(struct up *up)
{
	int fds[2];
	pid_t pid;

	up->keeper.paths = &up->paths;
	up->keeper.system = up->system;
	up->keeper.foreground = up->options.foreground;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		run_keeper(up, fds[1]);
	}
	close(fds[1]);
	/* Only the keeper's copies keep the guard and the lock waiting. */
	close(up->keeper.guard.fd);
	close(up->keeper.rundir.lock_fd);
	if (pid < 0) {
		lab_error("cannot start a process: %s", strerror(errno));
		close(fds[0]);
		return 1;
	}
	return wait_for_keeper(up, fds[0]);
}

static int bring_up(struct up *up, const char *path)
{
	char name[LAB_NAME_BYTES];

	if (up->options.name)
		snprintf(name, sizeof(name), "%s", up->options.name);
	else
		lab_default_name(path, name);
	if (lab_find_paths(&up->paths) < 0 || prepare(up) < 0 ||
	    lab_accel_choose(up->paths.data, &up->keeper.accel_choice) < 0 ||
	    make_folders(up, name) < 0)
		return 1;
	if (write_images(up) < 0) {
		close(up->keeper.guard.fd);
		close(up->keeper.rundir.lock_fd);
		(void)lab_rundir_wait_gone(&up->keeper.rundir, END_MS);
		return 1;
	}
	lab_progress("booting %zu VM%s", up->system->num_vms, up->system->num_vms == 1 ? "" : "s");
	return start_keeper(up);
}

int lab_command_up(int argc, char **argv)
{
	static struct up up;
	char *message = NULL;
	int status, first = lab_read_options(argc, argv, "af", &up.options, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		return lab_usage_error("up");
	if (up.options.name && !lab_name_is_valid(up.options.name)) {
		lab_error("a lab's name has up to %d letters, digits, '.', '_' and '-': '%s'",
			  LAB_NAME_BYTES - 1, up.options.name);
		return 2;
	}
	status = crossvm_system_read(argv[first], LAB_SOCKETS, &up.system, &message);
	if (status < 0) {
		fprintf(stderr, "%s\n", message ? message : strerror(-status));
		free(message);
		return 2;
	}
	status = bring_up(&up, argv[first]);
	free(up.keeper.vms);
	crossvm_system_free(up.system);
	return status;
}
