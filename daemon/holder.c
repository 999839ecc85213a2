/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/holder.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/stop.h"
#include "daemon/worker.h"

/* Workers that may die one after another, without any having served, before the next has to wait. */
#define FAST_DEATHS  10u
#define MAX_DELAY_MS 1000u

struct holder {
	struct server *server;
	struct sandbox *sandbox;
	pid_t worker;
	bool stopping;
	bool crashed;          /* the last worker died of itself */
	unsigned int in_a_row; /* deaths without progress */
	uint64_t served;       /* progress when the last one died */
};

static sigset_t signals_to_wait_for(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	return signals;
}

void holder_prepare(void)
{
	sigset_t signals = signals_to_wait_for();

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* a system file is read once */
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* Wait for a signal, for at most delay_ms (0: without limit), and take note of it. */
static void wait_for_signal(struct holder *holder, unsigned int delay_ms)
{
	struct timespec delay = {.tv_sec = delay_ms / 1000,
				 .tv_nsec = (long)(delay_ms % 1000) * 1000000};
	sigset_t signals = signals_to_wait_for();
	siginfo_t info;
	int signal = sigtimedwait(&signals, &info, delay_ms == 0 ? NULL : &delay);
	char reason[STOP_REASON_BYTES];

	if (signal != SIGTERM && signal != SIGINT)
		return;
	stop_reason(&info, reason);
	log_write(holder->server->log, CROSSVM_LOG_INFO, "told to stop by %s", reason);
	holder->stopping = true;
	if (holder->worker > 0)
		kill(holder->worker, SIGTERM);
}

static int start(struct holder *holder)
{
	holder->worker = worker_start(holder->server, holder->sandbox, holder->crashed);
	if (holder->worker < 0) {
		int error = holder->worker;

		holder->worker = 0;
		log_write(holder->server->log, CROSSVM_LOG_ERROR, "cannot start a worker: %s",
			  strerror(-error));
		return error;
	}
	if (holder->stopping)
		kill(holder->worker, SIGTERM);
	return 0;
}

/* After a death: the VMs are waiting, so there is nothing to do but to try until it works. */
static void start_another(struct holder *holder)
{
	while (start(holder) != 0 && !holder->stopping)
		wait_for_signal(holder, MAX_DELAY_MS);
}

/* @return whether the worker has ended, and how. */
static bool has_ended(struct holder *holder, int *status)
{
	return waitpid(holder->worker, status, WNOHANG) == holder->worker;
}

static void note_death(struct holder *holder, int status)
{
	uint64_t served =
		atomic_load_explicit(&holder->server->state->served, memory_order_relaxed);
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	holder->in_a_row = served == holder->served ? holder->in_a_row + 1 : 0;
	holder->served = served;
	holder->crashed = signal != SIGKILL;
	holder->worker = 0;
	if (signal != 0)
		log_write(holder->server->log, CROSSVM_LOG_WARNING,
			  "the worker was killed by signal %d (%s); another one carries on", signal,
			  strsignal(signal));
	else
		log_write(holder->server->log, CROSSVM_LOG_WARNING,
			  "the worker ended with status %d; another one carries on",
			  WEXITSTATUS(status));
}

/* A storm of deaths must not take the machine: wait longer each time. */
static void calm_down(struct holder *holder)
{
	unsigned int beyond = holder->in_a_row - FAST_DEATHS;
	unsigned int delay_ms = beyond > 6 ? MAX_DELAY_MS : 10u << beyond;

	if (beyond == 0)
		log_write(holder->server->log, CROSSVM_LOG_ERROR,
			  "%u workers in a row have died at once; from now on the next one waits a "
			  "little",
			  FAST_DEATHS);
	wait_for_signal(holder, delay_ms);
}

int holder_run(struct server *server, struct sandbox *sandbox, const struct notify *notify)
{
	struct holder holder = {.server = server, .sandbox = sandbox};
	const unsigned int watchdog_ms = notify_watchdog_interval_ms();
	int error = start(&holder);

	while (!error && holder.worker > 0) {
		int status;

		/* Lost if it is not read; then the next one counts. */
		if (watchdog_ms > 0)
			notify_send(notify, "WATCHDOG=1", 0);
		if (!has_ended(&holder, &status)) {
			wait_for_signal(&holder, watchdog_ms);
			continue;
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STOPPED)
			break;
		if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNABLE) {
			error = -EIO;
			break;
		}
		note_death(&holder, status);
		if (holder.in_a_row >= FAST_DEATHS)
			calm_down(&holder);
		start_another(&holder);
	}
	notify_send(notify, "STOPPING=1\nSTATUS=Taking leave of VMs and components", 0);
	return error;
}
