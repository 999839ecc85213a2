/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvmd as the lab's child: started first, ended last, its readiness told by the protocol of
 * systemd's notifications.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/keeper.h"
#include "lab/report.h"

#define READY_MS  20000
#define STOP_MS   5000
#define LOG_LINES 10

static void show_log(const struct lab_keeper *keeper)
{
	char path[PATH_MAX];

	lab_keeper_file(keeper, "crossvmd", ".log", path);
	lab_show_tail(path, LOG_LINES);
}

static void start_vms(struct lab_keeper *keeper)
{
	for (size_t i = 0; i < keeper->system->num_vms && keeper->state == LAB_STARTING; i++)
		if (lab_vm_start(&keeper->vms[i]) < 0)
			lab_keeper_fail(keeper);
	lab_keeper_check(keeper);
}

static void on_notify(void *context, uint32_t events)
{
	struct lab_keeper *keeper = context;
	char text[1024];
	ssize_t n = recv(keeper->notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	(void)events;
	if (n <= 0)
		return;
	text[n] = '\0';
	if (keeper->state != LAB_STARTING || !keeper->daemon_timer.set ||
	    (strncmp(text, "READY=1", 7) != 0 && !strstr(text, "\nREADY=1")))
		return;
	lab_timer_clear(&keeper->loop, &keeper->daemon_timer);
	start_vms(keeper);
}

static void on_late(void *context)
{
	struct lab_keeper *keeper = context;

	lab_error("crossvmd was not ready after %d s; it said:", READY_MS / 1000);
	show_log(keeper);
	lab_keeper_fail(keeper);
}

static void on_process(void *context, uint32_t events)
{
	struct lab_keeper *keeper = context;
	char how[64];
	int status;

	(void)events;
	lab_loop_remove(&keeper->loop, keeper->daemon_watch);
	keeper->daemon_watch = NULL;
	if (!lab_process_reap(&keeper->daemon, &status))
		return;
	lab_describe_status(status, how, sizeof(how));
	if (keeper->state == LAB_STARTING) {
		lab_error("crossvmd ended (%s); it said:", how);
		show_log(keeper);
		lab_keeper_fail(keeper);
	} else if (keeper->state == LAB_RUNNING) {
		lab_error("crossvmd ended (%s)", how);
	}
	lab_keeper_check(keeper);
}

static int open_notify(struct lab_keeper *keeper, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "%.99s/ready", keeper->rundir.path);
	keeper->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (keeper->notify_fd < 0)
		return -errno;
	if (bind(keeper->notify_fd, (struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return lab_loop_add(&keeper->loop, keeper->notify_fd, EPOLLIN, on_notify, keeper,
			    &keeper->notify_watch);
}

static int start(struct lab_keeper *keeper)
{
	/* Whoever is root for the lab is so for its QEMUs; else there is nothing to say. */
	const char *user = geteuid() == 0 ? "--user=root" : "--";
	const char *argv[] = {keeper->paths->crossvmd,
			      "--socket-dir",
			      LAB_SOCKETS,
			      user,
			      keeper->system->path,
			      NULL};
	char log[PATH_MAX];
	struct sockaddr_un address;
	struct lab_spawn spawn = {
		.argv = argv, .cwd = keeper->rundir.path, .log = log, .notify = address.sun_path};
	int error = open_notify(keeper, &address);

	if (error)
		return error;
	lab_keeper_file(keeper, "crossvmd", ".log", log);
	error = lab_process_start(&keeper->daemon, &spawn);
	if (!error)
		error = lab_guard_add(&keeper->guard, &keeper->daemon);
	if (!error)
		error = lab_loop_add(&keeper->loop, keeper->daemon.pidfd, EPOLLIN, on_process,
				     keeper, &keeper->daemon_watch);
	return error;
}

int lab_daemon_start(struct lab_keeper *keeper)
{
	char sockets[PATH_MAX];
	int error = 0;

	keeper->daemon.pidfd = -1;
	lab_keeper_file(keeper, LAB_SOCKETS, "", sockets);
	if (mkdir(sockets, 0700) < 0)
		error = -errno;
	if (!error)
		error = start(keeper);
	if (error) {
		lab_error("cannot start %s: %s", keeper->paths->crossvmd, strerror(-error));
		return error;
	}
	keeper->daemon_timer.fn = on_late;
	keeper->daemon_timer.context = keeper;
	lab_timer_set(&keeper->loop, &keeper->daemon_timer, READY_MS);
	return 0;
}

static void kill_daemon(void *context)
{
	struct lab_keeper *keeper = context;

	lab_process_signal(&keeper->daemon, SIGKILL);
}

void lab_daemon_stop(struct lab_keeper *keeper, int signal_number)
{
	lab_process_signal(&keeper->daemon, signal_number);
	if (keeper->daemon_timer.set)
		return;
	keeper->daemon_timer.fn = kill_daemon;
	keeper->daemon_timer.context = keeper;
	lab_timer_set(&keeper->loop, &keeper->daemon_timer, STOP_MS);
}

void lab_daemon_destroy(struct lab_keeper *keeper)
{
	lab_loop_remove(&keeper->loop, keeper->daemon_watch);
	lab_loop_remove(&keeper->loop, keeper->notify_watch);
	if (keeper->notify_fd >= 0)
		close(keeper->notify_fd);
	keeper->notify_fd = -1;
}
