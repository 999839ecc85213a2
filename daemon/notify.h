/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * systemd's protocol for services (sd_notify(3), sd_watchdog_enabled(3)): datagrams to the socket that
 * $NOTIFY_SOCKET names. Our own, because libsystemd would bring half a dozen libraries into a daemon
 * that needs two calls.
 */
#ifndef CROSSVM_DAEMON_NOTIFY_H
#define CROSSVM_DAEMON_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

/* Constant after notify_open(). */
struct notify {
	int fd; /* connected; -1: there is no service manager */
	struct sockaddr_un address;
	socklen_t address_bytes;
};

/*
 * Connect to the service manager, if there is one, so that telling it opens nothing.
 *
 * @return 0 (also without a service manager) or -errno; notify_close() is fine in both cases.
 */
int notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/*
 * Tell the service manager, if there is one.
 *
 * @state: lines such as "READY=1\nSTATUS=2 VMs".
 * @timeout_ms: how long to wait until it has read what it was told before; 0: do not wait at all.
 * @return 0 (also without a service manager), -EAGAIN if it has not read, or another -errno.
 */
int notify_send(const struct notify *notify, const char *state, int timeout_ms);

/*
 * How often the service manager wants this process to tell it "WATCHDOG=1", in milliseconds: twice in
 * the time after which it would take it for dead. 0: it does not.
 */
unsigned int notify_watchdog_interval_ms(void);

#endif
