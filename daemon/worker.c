/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/rights.h"
#include "daemon/watchdog.h"

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Dispatch, looking for a moment before sleeping: to sleep and to be woken takes longer than many an
 * answer does. Only ever after something was served, so an idle daemon sleeps.
 */
static int dispatch(const struct server *server)
{
	const uint64_t end = server->busy_poll_us ? now_us() + server->busy_poll_us : 0;
	int served = 0;

	while (!served && end && now_us() < end)
		served = crossvm_host_dispatch(server->host, 0);
	return served ? served : crossvm_host_dispatch(server->host, -1);
}

/*
 * Serve until told to stop. dispatch returns 0 when only the watchdog's signal came, which means
 * that nothing has happened for a while: time to sleep without a timer.
 */
static enum worker_end serve(struct server *server)
{
	struct pollfd ready = {.fd = crossvm_host_fd(server->host), .events = POLLIN};
	bool busy = true; /* the caller has started the watchdog */

	while (!server->stopping) {
		int served;

		if (!busy) {
			poll(&ready, 1, -1);
			watchdog_start();
			busy = true;
		}
		served = dispatch(server);
		if (served < 0) {
			log_write(server->log, CROSSVM_LOG_ERROR, "a worker cannot serve: %s",
				  strerror(-served));
			return WORKER_UNABLE;
		}
		if (served > 0) {
			atomic_fetch_add_explicit(&server->state->served, 1, memory_order_relaxed);
		} else {
			watchdog_stop();
			busy = false;
		}
	}
	return WORKER_STOPPED;
}

/* SIGTERM, from the holder or at its death, and SIGINT: to stop. All others as ever. */
static int set_signals(struct server *server)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (sigprocmask(SIG_SETMASK, &stop, NULL) != 0)
		return -errno;
	return server_listen_to_signals(server, &stop);
}

static int give_up_rights(struct server *server, struct sandbox *sandbox, pid_t holder)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
		return -errno;
	rights_be_killed_first();
	if (getppid() != holder) /* it died before we asked to be told */
		server->stopping = true;
	return sandbox_enter(sandbox);
}

static enum worker_end run(struct server *server, struct sandbox *sandbox, pid_t holder,
			   bool crashed)
{
	int error = set_signals(server);
	enum worker_end end;

	if (!error)
		error = watchdog_create();
	if (!error)
		error = give_up_rights(server, sandbox, holder);
	if (error) {
		log_write(server->log, CROSSVM_LOG_ERROR, "a worker cannot start: %s",
			  strerror(-error));
		return WORKER_UNABLE;
	}
	watchdog_start();
	if (server_recover(server, crashed) != 0)
		return WORKER_UNABLE;
	end = serve(server);
	/* The holder takes leave of everybody; but if it has been killed, there is only us. */
	if (getppid() == holder)
		return end;
	watchdog_start();
	server_destroy(server);
	return end;
}

pid_t worker_start(struct server *server, struct sandbox *sandbox, bool crashed)
{
	pid_t holder = getpid();
	/* as fork(), but the descriptors stay one table */
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return (pid_t)pid;
	_exit(run(server, sandbox, holder, crashed));
}
