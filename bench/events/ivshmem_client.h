/* SPDX-License-Identifier: BSD-2-Clause */
/* Being one of two peers of an ivshmem server, in the place of a QEMU. */
#ifndef BENCH_EVENTS_IVSHMEM_CLIENT_H
#define BENCH_EVENTS_IVSHMEM_CLIENT_H

#include <stdint.h>

struct ivshmem_peer {
	int64_t id;
	int memory;
	int own;   /* eventfd that interrupts this peer; a blocking one */
	int other; /* and the other */
};

/* They end the program with a message when something fails. */
int socket_connect(const char *path);
struct ivshmem_peer ivshmem_join(const char *socket);

#endif
