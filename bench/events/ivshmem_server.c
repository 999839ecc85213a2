/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server that QEMU's ivshmem-doorbell wants, for two peers and one vector each: hands the shared
 * memory and the eventfds to whoever connects and steps aside. Whoever connects later takes the place
 * of the second one, who must have gone. Only for measuring.
 *
 *	ivshmem_server SOCKET BYTES
 *
 * A message is a little-endian 64-bit number, sometimes with a descriptor: the protocol's version,
 * the peer's id, -1 with the memory, then an id with the eventfd that wakes that peer, first those
 * of others, its own last.
 */
#include <endian.h>
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 2

static void tell(int socket, int64_t number, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	int64_t message = (int64_t)htole64((uint64_t)number);
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr out = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *cmsg = (void *)control;

		out.msg_control = control;
		out.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	if (sendmsg(socket, &out, MSG_NOSIGNAL) != sizeof(message))
		err(1, "cannot send to a peer");
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "the path %s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, PEERS) != 0)
		err(1, "cannot listen at %s", path);
	return fd;
}

/* What a peer is told when it comes: who it is, the memory, and all eventfds, its own last. */
static int welcome(int listener, int peer, int memory, const int *events)
{
	int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (socket < 0)
		err(1, "cannot take in peer %d", peer);
	tell(socket, 0, -1);
	tell(socket, peer, -1);
	tell(socket, -1, memory);
	for (int other = 0; other < peer; other++)
		tell(socket, other, events[other]);
	tell(socket, peer, events[peer]);
	return socket;
}

int main(int argc, char **argv)
{
	int sockets[PEERS], events[PEERS], listener, memory;

	if (argc != 3)
		errx(2, "usage: %s SOCKET BYTES", argv[0]);
	memory = memfd_create("ivshmem", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, strtol(argv[2], NULL, 10)) != 0)
		err(1, "cannot make shared memory of %s bytes", argv[2]);
	listener = listen_at(argv[1]);
	for (int peer = 0; peer < PEERS; peer++) {
		events[peer] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (events[peer] < 0)
			err(1, "cannot make the event of peer %d", peer);
		sockets[peer] = welcome(listener, peer, memory, events);
		for (int other = 0; other < peer; other++)
			tell(sockets[other], peer, events[peer]);
	}
	/* VMs need nothing more, but would notice the end. */
	for (;;) {
		int later = welcome(listener, PEERS - 1, memory, events);

		close(sockets[PEERS - 1]);
		sockets[PEERS - 1] = later;
	}
}
