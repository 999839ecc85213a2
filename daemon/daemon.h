/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that a system file asks for: VMs and connections, dataports, routing, and the component
 * socket. Made once, by the holder; workers serve it.
 */
#ifndef CROSSVM_DAEMON_DAEMON_H
#define CROSSVM_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/clients.h"
#include "daemon/log.h"
#include "daemon/rights.h"
#include "daemon/route.h"
#include "server/holder.h"
#include "server/server.h"
#include "systemfile/system.h"

#define DAEMON_BUSY_POLL_MAX_US 10000u

/* In the arena. */
struct daemon_state {
	struct log_limit limit; /* for what VMs cause */
};

/* The members that a VM is. */
struct daemon_vm {
	vm_t *vm;
	struct route_member **members;
	size_t num_members;
};

struct daemon {
	struct server server;
	const struct log *log;
	const struct crossvm_system *system;
	const char *socket_dir;
	struct crossvm_host *host;
	struct daemon_state *state;
	struct daemon_vm *vms;
	struct route_sender *senders; /* VMs, then components */
	struct route route;
	struct clients_component *components;
	struct clients clients;
};

/*
 * Make all of it. system and log must outlive the daemon.
 *
 * @socket_dir: where the sockets go; it is there, and checked. @rights: who the daemon will become.
 * @return 0, -EINTR if the process was told to stop meanwhile (daemon/stop.h), or -errno after a
 *   message; daemon_destroy() is fine in all cases.
 */
int daemon_create(struct daemon *daemon, const struct crossvm_system *system,
		  const char *socket_dir, const struct rights *rights, const struct log *log);

/*
 * Give everything back, before a worker was started or where none could be: afterwards the arena holds
 * what workers have written.
 */
void daemon_destroy(struct daemon *daemon);

/* In the holder, once no worker is left: remove the sockets. Relies on private memory only. */
void daemon_unlink(const struct daemon *daemon);

/* What holder_run() asks for; context is the daemon. */
int daemon_begin(void *context, bool crashed);
void daemon_take_leave(void *context);
void daemon_name_owner(void *context, uint64_t owner, char *text, size_t bytes);
void daemon_name_wire(void *context, uint64_t offset, char *text, size_t bytes);

#endif
