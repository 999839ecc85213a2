/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/notify.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int connect_again(const struct notify *notify)
{
	return connect(notify->fd, (const struct sockaddr *)&notify->address,
		       notify->address_bytes) == 0
		       ? 0
		       : -errno;
}

int notify_open(struct notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t bytes = path == NULL ? 0 : strlen(path);

	*notify = (struct notify){.fd = -1, .address.sun_family = AF_UNIX};
	if (bytes == 0)
		return 0;
	if (bytes >= sizeof(notify->address.sun_path))
		return -ENAMETOOLONG;
	memcpy(notify->address.sun_path, path, bytes);
	if (path[0] == '@') /* an abstract socket */
		notify->address.sun_path[0] = '\0';
	notify->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return notify->fd < 0 ? -errno : connect_again(notify);
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

static int send_now(const struct notify *notify, const char *state)
{
	return send(notify->fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_send(const struct notify *notify, const char *state, int timeout_ms)
{
	struct pollfd writable = {.fd = notify->fd, .events = POLLOUT};
	int error;

	if (notify->fd < 0)
		return 0;
	error = send_now(notify, state);
	if (error == -EAGAIN && timeout_ms != 0 && poll(&writable, 1, timeout_ms) > 0)
		error = send_now(notify, state);
	/* A service manager that was replaced listens at the same place. */
	if (error == -ECONNREFUSED || error == -ENOTCONN) {
		error = connect_again(notify);
		if (!error)
			error = send_now(notify, state);
	}
	return error;
}

/* Of an environment variable; 0 where there is none, or no number. */
static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	unsigned long long value;
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' ? 0 : value;
}

unsigned int notify_watchdog_interval_ms(void)
{
	const uint64_t half_ms = number("WATCHDOG_USEC") / 2000;

	/* It may be meant for the process that started this one. */
	if (number("WATCHDOG_USEC") == 0 ||
	    (getenv("WATCHDOG_PID") != NULL && number("WATCHDOG_PID") != (uint64_t)getpid()))
		return 0;
	return half_ms == 0 ? 1 : half_ms > INT_MAX ? INT_MAX : (unsigned int)half_ms;
}
