/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include "bench/events/ivshmem_device.h"

static void emit(struct path *path)
{
	ivshmem_ring(path->device);
}

static uint64_t wait(struct path *path)
{
	ivshmem_wait(path->device);
	return 0;
}

void path_open_ivshmem(struct path *path)
{
	static struct ivshmem device;

	ivshmem_open(&device);
	path->device = &device;
	path->words = device.memory;
	path->emit = emit;
	path->wait = wait;
}
