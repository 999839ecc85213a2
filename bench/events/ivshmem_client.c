/* SPDX-License-Identifier: BSD-2-Clause */
#include "ivshmem_client.h"

#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int socket_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "the path %s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		err(1, "cannot connect to %s", path);
	return fd;
}

/* One message of the server's. @fd: set to its descriptor, or to -1. */
static int64_t receive(int socket, int *fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	uint64_t message;
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr in = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;

	if (recvmsg(socket, &in, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(message))
		err(1, "ivshmem's server says nothing more");
	cmsg = CMSG_FIRSTHDR(&in);
	*fd = -1;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return (int64_t)le64toh(message);
}

struct ivshmem_peer ivshmem_join(const char *socket)
{
	struct ivshmem_peer peer = {.own = -1, .other = -1};
	int server = socket_connect(socket), fd;

	if (receive(server, &fd) != 0)
		errx(1, "ivshmem's server speaks another version");
	peer.id = receive(server, &fd);
	if (receive(server, &peer.memory) != -1 || peer.memory < 0)
		errx(1, "ivshmem's server gives no memory");
	while (peer.own < 0 || peer.other < 0) {
		int *whose = receive(server, &fd) == peer.id ? &peer.own : &peer.other;

		*whose = fd;
	}
	/* Nobody else reads it, and one blocking read is the shortest way to wait. */
	if (fcntl(peer.own, F_SETFL, 0) != 0)
		err(1, "cannot wait at an eventfd");
	return peer;
}
