/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/holder.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/internal.h"
#include "server/processes.h"

/* Workers that may die one after another, without any having served, before the next has to wait. */
#define FAST_DEATHS  10u
#define MAX_DELAY_MS 1000u

/* Closers: how often they are looked at while there is something to close, and how long they have at
 * the end. */
#define CLOSERS_MIN_MS 100u
#define CLOSERS_MAX_MS 2000u
#define CLOSERS_END_MS 1000u

/* How often and how long a worker that was killed at the end is waited for. */
#define LATE_MS  200u
#define MAX_LATE 10u

#define NAME_BYTES 160u

struct holder {
	struct server *server;
	const struct holder_program *program;
	pid_t worker; /* 0: none */
	bool first;   /* the worker is the first one */
	bool crashed; /* the last worker died of itself */
	bool stopping;
	bool ended;
	int error;
	unsigned int in_a_row; /* deaths without progress */
	uint64_t turns;        /* progress when the last one died */
	uint64_t start_at;     /* not to start another worker before; ms */
	uint64_t leave_until;
	unsigned int late; /* how often that was over */
	uint64_t alive_at;

	pid_t closers[CLOSERS];          /* 0: none */
	uint32_t closer_counts[CLOSERS]; /* when they were looked at */
	bool told[CLOSERS];              /* that it stands still */
	unsigned int closers_ms;         /* how long until they are looked at again */
	struct log_limit limit;          /* for what clients cause here */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

__attribute__((format(printf, 3, 4))) static void
say(const struct holder *holder, enum crossvm_log_level level, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	server_log(&holder->server->log, level, "%s", text);
}

static sigset_t signals_to_wait_for(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	return signals;
}

void holder_block_signals(void)
{
	const sigset_t signals = signals_to_wait_for();

	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

int holder_prepare(struct server *server)
{
	const sigset_t signals = signals_to_wait_for();

	server->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	server->standstill = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (server->signals < 0 || server->standstill < 0)
		return -errno;
	server->closing.closers = true;
	return 0;
}

/* The worker. */

static void start_worker(struct holder *holder)
{
	const pid_t pid =
		worker_start(holder->server, holder->program, holder->crashed, holder->stopping);

	if (pid > 0) {
		holder->worker = pid;
		return;
	}
	say(holder, CROSSVM_LOG_ERROR, "cannot start a worker: %s", strerror(-pid));
	holder->start_at = now_ms() + MAX_DELAY_MS;
	if (holder->first) {
		holder->error = pid;
		holder->ended = true;
	}
}

/* A storm of deaths must not take the machine: wait longer each time. */
static void calm_down(struct holder *holder)
{
	const unsigned int beyond = holder->in_a_row - FAST_DEATHS;

	if (!beyond)
		say(holder, CROSSVM_LOG_ERROR,
		    "%u workers in a row have died at once; from now on the next one waits a "
		    "little",
		    FAST_DEATHS);
	holder->start_at = now_ms() + (beyond > 6 ? MAX_DELAY_MS : 10u << beyond);
}

static void note_death(struct holder *holder, int status)
{
	const uint64_t turns =
		atomic_load_explicit(&holder->server->state->turns, memory_order_relaxed);
	const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	holder->in_a_row = turns == holder->turns ? holder->in_a_row + 1 : 0;
	holder->turns = turns;
	holder->crashed = signal && signal != SIGKILL;
	if (signal)
		say(holder, CROSSVM_LOG_WARNING,
		    "the worker was killed by signal %d (%s); another one carries on", signal,
		    strsignal(signal));
	else
		say(holder, CROSSVM_LOG_WARNING,
		    "the worker ended with status %d; another one carries on", WEXITSTATUS(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNABLE)
		holder->start_at = now_ms() + MAX_DELAY_MS / 10;
	if (holder->in_a_row >= FAST_DEATHS)
		calm_down(holder);
}

static void worker_ended(struct holder *holder, int status)
{
	const bool first = holder->first && !atomic_load(&holder->server->state->turns);

	holder->worker = 0;
	if (holder->stopping && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_STOPPED) {
		holder->ended = true;
	} else if (holder->late) {
		say(holder, CROSSVM_LOG_WARNING,
		    "the worker has not taken leave of everybody within %d s",
		    HOLDER_LEAVE_MS / 1000);
		holder->ended = true;
	} else if (first && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNABLE) {
		holder->error = -EIO;
		holder->ended = true;
	} else {
		note_death(holder, status);
	}
	holder->first = false;
}

static void stop(struct holder *holder, const siginfo_t *by)
{
	if (holder->stopping)
		return;
	holder->stopping = true;
	holder->leave_until = now_ms() + HOLDER_LEAVE_MS;
	holder->start_at = 0;
	holder->program->stopping(holder->program->context, by);
	if (holder->worker)
		kill(holder->worker, SIGTERM);
}

/* Whom it serves, as far as can be told without relying on what it has written. */
static void tell_standstill(struct holder *holder)
{
	const uint64_t offset = atomic_load(&holder->server->state->serving);
	char name[NAME_BYTES] = "nobody in particular";
	uint64_t expired;

	if (read(holder->server->standstill, &expired, sizeof(expired)) < 0 || !holder->worker)
		return;
	if (offset)
		holder->program->name_wire(holder->program->context, offset, name, sizeof(name));
	say(holder, CROSSVM_LOG_ERROR,
	    "the worker has stood still for a while, serving %s; please report this", name);
}

/* Closers. */

static void start_closer(struct holder *holder)
{
	for (unsigned int i = 0; i < CLOSERS; i++) {
		pid_t pid;

		if (holder->closers[i])
			continue;
		pid = closer_start(holder->server, holder->program, i);
		if (pid > 0)
			holder->closers[i] = pid;
		holder->told[i] = false;
		return;
	}
}

static void look_again(struct holder *holder, unsigned int ms)
{
	const struct itimerspec later = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}};

	timerfd_settime(holder->server->closing.timer, 0, &later, NULL);
}

static void tell_closer(struct holder *holder, unsigned int i, uint64_t owner)
{
	char name[NAME_BYTES];

	if (holder->told[i])
		return;
	holder->told[i] = true;
	holder->program->name_owner(holder->program->context, owner, name, sizeof(name));
	log_limited(
		&holder->server->log, &holder->limit, CROSSVM_LOG_WARNING,
		"a descriptor that came from %s cannot be closed: whoever made it does not let go; "
		"nobody waits for that, but what else comes from there may not be closed either",
		name);
}

/* Another one, if those that there are stand still, and there is something left to do. */
static void look_after_closers(struct holder *holder)
{
	struct closing *closing = &holder->server->closing;
	bool any = false;
	bool moved = false;
	uint64_t expired;

	if (read(closing->timer, &expired, sizeof(expired)) < 0)
		return;
	for (unsigned int i = 0; i < CLOSERS; i++) {
		uint64_t owner;
		uint32_t count;
		int fd;

		if (!holder->closers[i])
			continue;
		any = true;
		fd = closing_progress(closing, i, &count, &owner);
		if (fd < 0 || count != holder->closer_counts[i]) {
			moved = true;
			holder->told[i] = false;
		} else {
			tell_closer(holder, i, owner);
		}
		holder->closer_counts[i] = count;
	}
	if (!any || (!moved && closing_needs_closer(closing)))
		start_closer(holder);
	else if (closing_needs_closer(closing))
		closing_wake(closing); /* one may sleep, and another have been told in its place */
	holder->closers_ms = moved ? CLOSERS_MIN_MS : holder->closers_ms * 2;
	if (holder->closers_ms > CLOSERS_MAX_MS)
		holder->closers_ms = CLOSERS_MAX_MS;
	if (closing_pending(closing))
		look_again(holder, holder->closers_ms);
	else
		holder->closers_ms = CLOSERS_MIN_MS;
}

static void closer_ended(struct holder *holder, unsigned int i)
{
	bool any = false;

	holder->closers[i] = 0;
	closing_ended(&holder->server->closing, i);
	for (unsigned int j = 0; j < CLOSERS; j++)
		any |= holder->closers[j] != 0;
	if (any)
		return;
	/* Soon, but not at once: it may not be able to live. */
	holder->closers_ms = CLOSERS_MIN_MS;
	look_again(holder, CLOSERS_MIN_MS);
}

/* All that have ended. */
static void reap(struct holder *holder)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == holder->worker)
			worker_ended(holder, status);
		for (unsigned int i = 0; i < CLOSERS; i++)
			if (pid == holder->closers[i])
				closer_ended(holder, i);
	}
}

/* What is still to be closed is, if it can be; a closer that waits stays behind. */
static void end_closers(struct holder *holder)
{
	const uint64_t until = now_ms() + CLOSERS_END_MS;

	while (closing_pending(&holder->server->closing) && now_ms() < until) {
		closing_reap(&holder->server->closing);
		poll(NULL, 0, 10);
	}
	for (unsigned int i = 0; i < CLOSERS; i++)
		if (holder->closers[i])
			kill(holder->closers[i], SIGKILL);
	for (unsigned int tries = 0; tries < 20; tries++) {
		reap(holder);
		poll(NULL, 0, 1);
	}
}

/* The loop. */

static void take_signals(struct holder *holder)
{
	struct signalfd_siginfo info;

	while (read(holder->server->signals, &info, sizeof(info)) == sizeof(info)) {
		siginfo_t by = {.si_signo = (int)info.ssi_signo};

		if (info.ssi_signo == SIGCHLD) {
			reap(holder);
			continue;
		}
		by.si_code = info.ssi_code;
		by.si_pid = (pid_t)info.ssi_pid;
		by.si_uid = info.ssi_uid;
		stop(holder, &by);
	}
}

static void sooner(int *timeout, uint64_t now, uint64_t at)
{
	const int ms = at <= now ? 0 : (int)(at - now);

	if (*timeout < 0 || ms < *timeout)
		*timeout = ms;
}

static int next_timeout(const struct holder *holder)
{
	const uint64_t now = now_ms();
	int timeout = -1;

	if (!holder->worker)
		sooner(&timeout, now, holder->start_at);
	if (holder->stopping)
		sooner(&timeout, now, holder->leave_until);
	if (holder->program->alive_ms)
		sooner(&timeout, now, holder->alive_at);
	return timeout;
}

/* The worker has had its time. One that does not even die is left behind. */
static void be_late(struct holder *holder)
{
	holder->late++;
	holder->leave_until = now_ms() + LATE_MS;
	if (holder->worker)
		kill(holder->worker, SIGKILL);
	if (!holder->worker || holder->late > MAX_LATE)
		holder->ended = true;
}

static void wait_for_something(struct holder *holder)
{
	struct pollfd fds[] = {{.fd = holder->server->signals, .events = POLLIN},
			       {.fd = holder->server->closing.timer, .events = POLLIN},
			       {.fd = holder->server->standstill, .events = POLLIN}};

	poll(fds, 3, next_timeout(holder));
	take_signals(holder);
	if (fds[1].revents)
		look_after_closers(holder);
	if (fds[2].revents)
		tell_standstill(holder);
	if (holder->program->alive_ms && now_ms() >= holder->alive_at) {
		holder->program->alive(holder->program->context);
		holder->alive_at = now_ms() + holder->program->alive_ms;
	}
	if (holder->stopping && now_ms() >= holder->leave_until)
		be_late(holder);
}

int holder_run(struct server *server, const struct holder_program *program)
{
	struct holder holder = {
		.server = server, .program = program, .first = true, .closers_ms = CLOSERS_MIN_MS};

	start_worker(&holder);
	if (!holder.ended) {
		start_closer(&holder);
		program->started(program->context);
	}
	while (!holder.ended) {
		wait_for_something(&holder);
		if (!holder.worker && !holder.ended && now_ms() >= holder.start_at)
			start_worker(&holder);
	}
	if (!holder.stopping)
		program->stopping(program->context, NULL);
	end_closers(&holder);
	return holder.error;
}
