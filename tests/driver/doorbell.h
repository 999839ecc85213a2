/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of a guest's doorbell: what QEMU's ivshmem-doorbell asks its server for, and the other
 * member, who rings and is rung.
 */
#ifndef CROSSVM_TESTS_DRIVER_DOORBELL_H
#define CROSSVM_TESTS_DRIVER_DOORBELL_H

#include <stdint.h>

#include <crossvm/abi.h>

#include "server/listener.h"

struct doorbell {
	struct listener listener;
	uint32_t position; /* of the guest */
	int memory_fd;
	struct crossvm_doorbell_page *pages;  /* by member */
	int events[CROSSVM_DOORBELL_MEMBERS]; /* eventfds, by member */
	int socket;                           /* of QEMU, which would notice its end; -1: none */
};

/* These end the program on any error. */
void doorbell_create(struct doorbell *doorbell, const char *path, uint32_t position);
/* Take in QEMU, if it has come, and tell it all. */
void doorbell_accept(struct doorbell *doorbell);
/* The other member emits so many events, and rings once. */
void doorbell_ring(struct doorbell *doorbell, uint64_t count);
/* How often the guest has rung since the last call, and how many events it has emitted ever. */
uint64_t doorbell_rings(struct doorbell *doorbell);
uint64_t doorbell_emitted(const struct doorbell *doorbell);
void doorbell_destroy(struct doorbell *doorbell);

#endif
