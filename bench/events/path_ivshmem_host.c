/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process as ivshmem's peer: its event is a write to the eventfd that KVM makes the VM's interrupt,
 * and the VM's doorbell an eventfd that it reads.
 */
#include "path.h"

#include <err.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ivshmem_client.h"

static void emit(struct path *path)
{
	const uint64_t one = 1;

	if (write(path->peer_fd, &one, sizeof(one)) != sizeof(one))
		err(1, "cannot emit to ivshmem's peer");
}

static uint64_t wait(struct path *path)
{
	uint64_t events;

	if (read(path->fd, &events, sizeof(events)) != sizeof(events))
		err(1, "cannot wait for ivshmem's peer");
	return events;
}

void path_open_ivshmem_host(struct path *path, const char *socket)
{
	const struct ivshmem_peer peer = ivshmem_join(socket);

	path->fd = peer.own;
	path->peer_fd = peer.other;
	path->words = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
			   peer.memory, 0);
	if (path->words == MAP_FAILED)
		err(1, "cannot map ivshmem's memory");
	path->emit = emit;
	path->wait = wait;
}
