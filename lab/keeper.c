/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/report.h"

#define STOP_MS     10000
#define PATIENCE_MS 15000

void lab_keeper_file(const struct lab_keeper *keeper, const char *vm, const char *suffix,
		     char *path)
{
	snprintf(path, PATH_MAX, "%s/%s%s", keeper->rundir.path, vm, suffix);
}

static bool all_are(const struct lab_keeper *keeper, enum lab_vm_state state)
{
	for (size_t i = 0; i < keeper->system->num_vms; i++)
		if (keeper->vms[i].state != state)
			return false;
	return true;
}

/* Nobody is at the terminal any more. */
static void write_to_log(const struct lab_keeper *keeper)
{
	char path[PATH_MAX];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log;

	lab_keeper_file(keeper, "keeper", ".log", path);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	(void)chdir("/");
	dup2(null, STDIN_FILENO);
	dup2(log >= 0 ? log : null, STDOUT_FILENO);
	dup2(log >= 0 ? log : null, STDERR_FILENO);
	close(null);
	if (log >= 0)
		close(log);
}

/* Nobody must miss the end of a lab that has not begun: only now does it belong to itself. */
static void become_ready(struct lab_keeper *keeper)
{
	keeper->state = LAB_RUNNING;
	(void)send(keeper->launcher_fd, "r", 1, MSG_NOSIGNAL);
	if (keeper->foreground)
		return;
	lab_loop_remove(&keeper->loop, keeper->launcher_watch);
	keeper->launcher_watch = NULL;
	close(keeper->launcher_fd);
	keeper->launcher_fd = -1;
	write_to_log(keeper);
}

static void finish(struct lab_keeper *keeper)
{
	lab_loop_stop(&keeper->loop);
}

void lab_keeper_check(struct lab_keeper *keeper)
{
	if (keeper->state == LAB_STARTING && all_are(keeper, LAB_VM_READY))
		become_ready(keeper);
	if (keeper->state != LAB_STOPPING || !all_are(keeper, LAB_VM_OFF))
		return;
	/* The daemon goes last: a VM whose device is gone writes messages that help nobody. */
	if (keeper->daemon.pid > 0)
		lab_daemon_stop(keeper, SIGTERM);
	else
		finish(keeper);
}

static void stop_by_force(void *context)
{
	/* The guard ends what is left. */
	finish(context);
}

void lab_keeper_stop(struct lab_keeper *keeper)
{
	if (keeper->state == LAB_STOPPING)
		return;
	keeper->state = LAB_STOPPING;
	lab_timer_clear(&keeper->loop, &keeper->daemon_timer);
	keeper->stop_timer.fn = stop_by_force;
	keeper->stop_timer.context = keeper;
	lab_timer_set(&keeper->loop, &keeper->stop_timer, STOP_MS);
	for (size_t i = 0; i < keeper->system->num_vms; i++)
		lab_vm_stop(&keeper->vms[i]);
	lab_keeper_check(keeper);
}

void lab_keeper_fail(struct lab_keeper *keeper)
{
	keeper->failed = true;
	lab_keeper_stop(keeper);
}

static void on_launcher(void *context, uint32_t events)
{
	struct lab_keeper *keeper = context;

	(void)events;
	/* It never writes: it has gone, or was interrupted. */
	lab_loop_remove(&keeper->loop, keeper->launcher_watch);
	keeper->launcher_watch = NULL;
	keeper->failed = keeper->state == LAB_STARTING;
	lab_keeper_stop(keeper);
}

static void on_guard(void *context, uint32_t events)
{
	struct lab_keeper *keeper = context;

	(void)events;
	lab_error("the lab's guard process was killed: ending the lab");
	lab_loop_remove(&keeper->loop, keeper->guard_watch);
	keeper->guard_watch = NULL;
	(void)waitpid(keeper->guard.process.pid, NULL, WNOHANG);
	lab_keeper_fail(keeper);
}

static void on_signal(void *context, uint32_t events)
{
	struct lab_keeper *keeper = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(keeper->signal_fd, &info, sizeof(info)) == sizeof(info))
		lab_keeper_stop(keeper);
}

static int watch_signals(struct lab_keeper *keeper)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	keeper->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper->signal_fd < 0)
		return -errno;
	return lab_loop_add(&keeper->loop, keeper->signal_fd, EPOLLIN, on_signal, keeper,
			    &keeper->signal_watch);
}

static int watch_all(struct lab_keeper *keeper)
{
	int error = watch_signals(keeper);

	if (!error)
		error = lab_loop_add(&keeper->loop, keeper->launcher_fd, EPOLLIN | EPOLLRDHUP,
				     on_launcher, keeper, &keeper->launcher_watch);
	if (!error)
		error = lab_loop_add(&keeper->loop, keeper->guard.process.pidfd, EPOLLIN, on_guard,
				     keeper, &keeper->guard_watch);
	return error ? error : lab_clients_listen(keeper);
}

static void say_what_is_awaited(void *context)
{
	struct lab_keeper *keeper = context;
	char names[512] = "";
	size_t used = 0;

	if (keeper->state != LAB_STARTING)
		return;
	for (size_t i = 0; i < keeper->system->num_vms && used < sizeof(names); i++)
		if (keeper->vms[i].state == LAB_VM_BOOTING)
			used += (size_t)snprintf(names + used, sizeof(names) - used, " %s",
						 keeper->vms[i].config->name);
	if (used > 0)
		lab_progress("still booting:%s", names);
	lab_timer_set(&keeper->loop, &keeper->patience_timer, PATIENCE_MS);
}

static int run(struct lab_keeper *keeper)
{
	int error = lab_loop_init(&keeper->loop);

	if (!error)
		error = watch_all(keeper);
	if (error) {
		lab_error("cannot start the lab: %s (see ulimit -n)", strerror(-error));
		return error;
	}
	keeper->patience_timer.fn = say_what_is_awaited;
	keeper->patience_timer.context = keeper;
	lab_timer_set(&keeper->loop, &keeper->patience_timer, PATIENCE_MS);
	if (lab_daemon_start(keeper) < 0)
		lab_keeper_fail(keeper);
	return lab_loop_run(&keeper->loop);
}

int lab_keeper_main(struct lab_keeper *keeper)
{
	keeper->notify_fd = -1;
	keeper->listen_fd = -1;
	keeper->signal_fd = -1;
	if (run(keeper) < 0)
		keeper->failed = true;
	for (size_t i = 0; i < keeper->system->num_vms; i++)
		lab_vm_destroy(&keeper->vms[i]);
	lab_daemon_destroy(keeper);
	lab_clients_destroy(keeper);
	lab_loop_destroy(&keeper->loop);
	return keeper->failed ? 1 : 0;
}
