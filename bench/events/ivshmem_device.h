/* SPDX-License-Identifier: BSD-2-Clause */
/* ivshmem-doorbell as a program in a VM uses it, through bench/events/ivshmem_uio. */
#ifndef BENCH_EVENTS_IVSHMEM_DEVICE_H
#define BENCH_EVENTS_IVSHMEM_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct ivshmem {
	void *memory;
	size_t memory_bytes;
	volatile uint32_t *doorbell;
	uint32_t peer;
	int fd;
};

/* They end the program with a message when something fails. */
void ivshmem_open(struct ivshmem *device);
/* Sleep until the peer has rung since the last wait. */
void ivshmem_wait(struct ivshmem *device);

static inline void ivshmem_ring(struct ivshmem *device)
{
	*device->doorbell = device->peer << 16;
}

#endif
