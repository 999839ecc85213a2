/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crossvmd of a few lines, good or bad as a test wants it: it listens in a folder of its own and
 * serves one client after the other in a thread.
 */
#ifndef CROSSVM_TESTS_FAKE_DAEMON_H
#define CROSSVM_TESTS_FAKE_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <crossvm/abi_component.h>
#include <crossvm/connection.h>

#include "tests/scratch.h"

#define FAKE_DATAPORT_BYTES (3u * CROSSVM_PAGE_BYTES)

struct fake_daemon;

/* Answer a client's request. The client is closed after it returns. */
typedef void (*fake_serve_fn)(struct fake_daemon *daemon, int client,
			      const struct crossvm_component_request *request);

struct fake_daemon {
	char folder[SCRATCH_BYTES];
	char path[96];
	int listener;
	int stop; /* eventfd: serve_until_gone() returns */
	fake_serve_fn serve;
	const void *context; /* of serve */
	pthread_t thread;
	int status_fd;
	int event_fd;
	int dataport_fd;
	struct crossvm_status_page *status;
	unsigned char *dataport;
	_Atomic uint64_t emits;
	struct crossvm_open_options options; /* for clients */
};

/* A connection "telemetry" of three members, of which the component "logger" is member 1. */
void fake_daemon_start(struct fake_daemon *daemon, fake_serve_fn serve, const void *context);
void fake_daemon_stop(struct fake_daemon *daemon);

/* Sealed memory as a daemon makes it. */
int fake_memory(size_t bytes, unsigned int seals);

struct crossvm_component_entry fake_entry(const struct fake_daemon *daemon, uint16_t type);
void fake_send(int client, const void *message, size_t bytes, const int *fds, size_t num_fds);

/* Serve as a good daemon does, until the client closes or the test stops it. */
void fake_serve_well(struct fake_daemon *daemon, int client,
		     const struct crossvm_component_request *request);
/* The second half of it: count emits. */
void fake_count_emits(struct fake_daemon *daemon, int client);
/* What a peer's emit does. */
void fake_event(struct fake_daemon *daemon, uint64_t count);
void fake_peer_change(struct fake_daemon *daemon, uint32_t member_id, uint32_t state);

#endif
