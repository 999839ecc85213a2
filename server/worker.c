/* SPDX-License-Identifier: BSD-2-Clause */
/* The processes that the holder clones: the worker, which serves, and closers. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/guard.h"
#include "server/internal.h"
#include "server/processes.h"

/* Private to the worker. */
struct worker {
	struct server *server;
	const struct holder_program *program;
	pid_t holder;
	int signals; /* signalfd */
	bool stopping;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * A turn, looking for a moment before sleeping: to sleep and to be woken takes longer than many an
 * answer does. Only ever after something was served, so an idle worker sleeps.
 */
static int take_turn(const struct worker *worker)
{
	const unsigned int busy_poll_us = worker->program->busy_poll_us;
	const uint64_t end = busy_poll_us ? now_us() + busy_poll_us : 0;
	int served = 0;

	while (!served && end && now_us() < end)
		served = server_turn(worker->server, 0);
	return served ? served : server_turn(worker->server, -1);
}

/*
 * Serve until told to stop. A turn returns 0 when only the tick came, which means that nothing has
 * happened for a while: time to sleep without one.
 */
static enum worker_end serve(struct worker *worker)
{
	struct server *server = worker->server;
	bool busy = true; /* the caller has started the ticks */

	while (!worker->stopping) {
		struct pollfd ready = {.fd = watches_fd(server->watches), .events = POLLIN};
		int served;

		if (!busy) {
			poll(&ready, 1, -1);
			ticks_start(server);
			busy = true;
		}
		served = take_turn(worker);
		if (served < 0) {
			server_log(&server->log, CROSSVM_LOG_ERROR, "a worker cannot serve: %s",
				   strerror(-served));
			return WORKER_UNABLE;
		}
		if (served > 0) {
			atomic_fetch_add_explicit(&server->state->turns, 1, memory_order_relaxed);
			ticks_note(server);
		} else {
			ticks_stop(server);
			busy = false;
		}
	}
	return WORKER_STOPPED;
}

/* Only the holder tells the worker to stop, or its death does. */
static unsigned int signal_came(void *context, uint32_t events, unsigned int budget)
{
	struct worker *worker = context;
	struct signalfd_siginfo info;

	(void)events;
	(void)budget;
	if (read(worker->signals, &info, sizeof(info)) != sizeof(info))
		return 1;
	if ((pid_t)info.ssi_pid == worker->holder || getppid() != worker->holder)
		worker->stopping = true;
	else
		server_log(&worker->server->log, CROSSVM_LOG_WARNING,
			   "process %u of user %u has sent %s to the worker, which ignores it; to "
			   "stop %s, send it to process %d",
			   info.ssi_pid, info.ssi_uid, strsignal((int)info.ssi_signo),
			   worker->program->name, (int)worker->holder);
	return 1;
}

static int listen_to_signals(struct worker *worker)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (sigprocmask(SIG_SETMASK, &stop, NULL))
		return -errno;
	/* The epoll set knows a signalfd by the process that added it: each worker has its own. */
	worker->signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	if (worker->signals < 0)
		return -errno;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		return -errno;
	if (getppid() != worker->holder) /* it died before we asked to be told */
		worker->stopping = true;
	return 0;
}

static int begin(struct worker *worker, bool crashed)
{
	struct server *server = worker->server;
	int error = server_renew(server, crashed); /* before it opens any descriptor */

	if (!error)
		error = listen_to_signals(worker);
	if (!error)
		error = ticks_prepare();
	if (!error)
		error = guard_start();
	if (error)
		return error;
	server_mark(server, worker->signals);
	error = watches_set(server->watches, worker->signals, EPOLLIN, &server->owner, signal_came,
			    worker);
	if (!error)
		error = worker->program->enter(worker->program->context, HOLDER_WORKER);
	if (error)
		return error;
	ticks_start(server);
	return worker->program->begin(worker->program->context, crashed);
}

static enum worker_end run(struct worker *worker, bool crashed)
{
	const int error = begin(worker, crashed);
	enum worker_end end;

	if (error) {
		server_log(&worker->server->log, CROSSVM_LOG_ERROR, "a worker cannot begin: %s",
			   strerror(-error));
		return WORKER_UNABLE;
	}
	end = serve(worker);
	if (end == WORKER_STOPPED) {
		ticks_start(worker->server);
		worker->program->take_leave(worker->program->context);
		closing_flush(&worker->server->closing);
	}
	return end;
}

/* As fork(), but the descriptors stay one table. */
static pid_t clone_process(void)
{
	const long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

static void name_process(const struct holder_program *program, const char *role)
{
	char name[16];

	snprintf(name, sizeof(name), "%s:%s", program->name, role);
	prctl(PR_SET_NAME, name);
}

pid_t worker_start(struct server *server, const struct holder_program *program, bool crashed,
		   bool leave)
{
	struct worker worker = {
		.server = server, .program = program, .holder = getpid(), .stopping = leave};
	const pid_t pid = clone_process();

	if (pid)
		return pid;
	name_process(program, "worker");
	_exit(run(&worker, crashed));
}

static void do_nothing(int signal)
{
	(void)signal;
}

static int prepare_closer(const struct holder_program *program, pid_t holder)
{
	const struct sigaction interrupt = {.sa_handler = do_nothing};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	sigemptyset(&none);
	if (sigaction(SIGALRM, &interrupt, NULL) || sigaction(SIGTERM, &ignore, NULL) ||
	    sigaction(SIGINT, &ignore, NULL) || sigprocmask(SIG_SETMASK, &none, NULL) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	if (getppid() != holder)
		return -ESRCH;
	return program->enter(program->context, HOLDER_CLOSER);
}

pid_t closer_start(struct server *server, const struct holder_program *program, unsigned int closer)
{
	const pid_t holder = getpid();
	pid_t pid;

	closing_started(&server->closing, closer);
	pid = clone_process();
	if (pid < 0)
		closing_ended(&server->closing, closer);
	if (pid)
		return pid;
	name_process(program, "closer");
	if (prepare_closer(program, holder))
		_exit(WORKER_UNABLE);
	closing_work(&server->closing, closer);
	_exit(WORKER_STOPPED);
}
