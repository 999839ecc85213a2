/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

#define INTERVAL_US 100000

static void tick(int signal)
{
	(void)signal; /* that the system call returns is all it is for */
}

int watchdog_create(void)
{
	struct sigaction action = {.sa_handler = tick}; /* no SA_RESTART */

	sigemptyset(&action.sa_mask);
	return sigaction(SIGALRM, &action, NULL) == 0 ? 0 : -errno;
}

static void set_interval(suseconds_t us)
{
	const struct itimerval interval = {.it_interval.tv_usec = us, .it_value.tv_usec = us};

	/* It can fail for wrong arguments only. */
	setitimer(ITIMER_REAL, &interval, NULL);
}

void watchdog_start(void)
{
	set_interval(INTERVAL_US);
}

void watchdog_stop(void)
{
	set_interval(0);
}
