/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * systemd's readiness protocol (sd_notify(3)): a datagram to the socket that $NOTIFY_SOCKET names.
 * Our own, because libsystemd would bring half a dozen libraries into a daemon that needs one call.
 */
#ifndef CROSSVM_DAEMON_NOTIFY_H
#define CROSSVM_DAEMON_NOTIFY_H

/*
 * Tell the service manager, if there is one.
 *
 * @state: lines such as "READY=1\nSTATUS=2 VMs".
 * @return 0 (also without service manager) or -errno.
 */
int notify_send(const char *state);

#endif
