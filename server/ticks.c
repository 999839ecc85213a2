/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "server/processes.h"

#define INTERVAL_US        100000
#define STANDSTILL_SECONDS 2

/* Set by the signal's handler, which has nothing else to reach it by. */
static volatile sig_atomic_t ticked;

static void tick(int signal)
{
	(void)signal;
	ticked = 1;
}

int ticks_prepare(void)
{
	struct sigaction action = {.sa_handler = tick}; /* no SA_RESTART */

	sigemptyset(&action.sa_mask);
	return sigaction(SIGALRM, &action, NULL) ? -errno : 0;
}

/* Each of these calls can fail for wrong arguments only. */

static void set_interval(suseconds_t us)
{
	const struct itimerval interval = {.it_interval.tv_usec = us, .it_value.tv_usec = us};

	setitimer(ITIMER_REAL, &interval, NULL);
}

static void set_standstill(const struct server *server, time_t seconds)
{
	const struct itimerspec expires = {.it_value.tv_sec = seconds};

	if (server->standstill >= 0)
		timerfd_settime(server->standstill, 0, &expires, NULL);
}

void ticks_start(const struct server *server)
{
	set_standstill(server, STANDSTILL_SECONDS);
	set_interval(INTERVAL_US);
}

void ticks_stop(const struct server *server)
{
	set_interval(0);
	set_standstill(server, 0);
}

void ticks_note(const struct server *server)
{
	if (!ticked)
		return;
	ticked = 0;
	set_standstill(server, STANDSTILL_SECONDS);
}
