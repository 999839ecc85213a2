/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that a system file asks for: the host, its VMs and connections, dataports, routing, and
 * the component socket. Made once, by the holder; workers serve it.
 */
#ifndef CROSSVM_DAEMON_SERVER_H
#define CROSSVM_DAEMON_SERVER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/clients.h"
#include "daemon/directory.h"
#include "daemon/log.h"
#include "daemon/rights.h"
#include "daemon/route.h"
#include "systemfile/system.h"

/* In the arena. */
struct server_state {
	_Alignas(8) unsigned char signal_watch[CROSSVM_HOST_WATCH_BYTES];
	_Atomic int signal_fd;   /* the worker's; 0: none */
	_Atomic uint64_t served; /* grows while workers get anything done */
};

#define SERVER_BUSY_POLL_MAX_US 10000u

struct server {
	const struct log *log;
	struct log_limit limit; /* for what VMs cause */
	const struct crossvm_system *system;
	const char *socket_dir;
	struct crossvm_host *host;
	struct server_state *state;
	vm_t **vms;
	struct route_connection *connections;
	struct clients_component *components;
	struct clients clients;
	unsigned int busy_poll_us; /* how long a worker looks for more before it sleeps */
	bool stopping;             /* this worker is to end */
	uint8_t *initial_fds; /* bit set of descriptors that are open from the start to the end */
	size_t num_initial_fds;
};

/*
 * Make all of it. system, directory and log must outlive the server.
 *
 * @directory: where the sockets go; open.
 * @rights: who the daemon will become.
 * @return 0, -EINTR if the process was told to stop meanwhile (daemon/stop.h), or -errno after a
 *   message; server_destroy() is fine in all cases.
 */
int server_create(struct server *server, const struct crossvm_system *system,
		  const struct directory *directory, const struct rights *rights,
		  const struct log *log);
/* Disconnect everybody in good order, remove the sockets. */
void server_destroy(struct server *server);

/*
 * The worker that this process is hears of signals in a set, which are blocked, by server->stopping.
 *
 * @return 0 or -errno.
 */
int server_listen_to_signals(struct server *server, const sigset_t *signals);

/* Carry on where another worker died, or begin. @return 0, or -errno after a message. */
int server_recover(struct server *server, bool crashed);

#endif
