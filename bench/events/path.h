/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A way between two VMs, or a VM and its host, as a program on one side sees it: some shared memory and
 * an event in each direction. Two implementations for a crossvm connection, two for ivshmem-doorbell.
 */
#ifndef BENCH_EVENTS_PATH_H
#define BENCH_EVENTS_PATH_H

#include <stdint.h>

/* The shared memory; each word in a cache line of its own. */
struct words {
	_Alignas(64) volatile uint32_t ready[2]; /* by role */
	_Alignas(64) volatile uint32_t ball;
	_Alignas(64) volatile uint32_t sent;
};

struct ivshmem;

struct path {
	struct words *words;
	void (*emit)(struct path *path);
	/* Sleep until the peer has emitted. @return how many events, 0 if the path cannot tell. */
	uint64_t (*wait)(struct path *path);
	void *connection;       /* crossvm's */
	struct ivshmem *device; /* ivshmem */
	int fd, peer_fd;        /* on a host: eventfds, ours and the peer's */
};

/* They end the program with a message when something fails. */
void path_open_crossvm(struct path *path, const char *name);
void path_open_ivshmem(struct path *path);
/* As one of the two peers of ivshmem_server, without a VM. */
void path_open_ivshmem_host(struct path *path, const char *socket);
/* In the place of a VM: FOLDER/VM.CONNECTION, of crossvmd's sockets. */
void path_open_doorbell_host(struct path *path, const char *vm_and_connection);

#endif
