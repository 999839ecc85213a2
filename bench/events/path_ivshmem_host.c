/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process as ivshmem's peer: its event is a write to the eventfd that KVM makes the VM's interrupt,
 * and the VM's doorbell an eventfd that it reads.
 */
#include "path.h"

#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

static int connect_to(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(socket_path) >= sizeof(address.sun_path))
		errx(1, "the path %s is too long for a socket", socket_path);
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		err(1, "cannot connect to %s", socket_path);
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

void path_open_ivshmem_host(struct path *path, const char *socket)
{
	int server = connect_to(socket), fd, memory;
	int64_t id;

	if (receive(server, &fd) != 0)
		errx(1, "ivshmem's server speaks another version");
	id = receive(server, &fd);
	if (receive(server, &memory) != -1 || memory < 0)
		errx(1, "ivshmem's server gives no memory");
	path->fd = path->peer_fd = -1;
	while (path->fd < 0 || path->peer_fd < 0) {
		int *whose = receive(server, &fd) == id ? &path->fd : &path->peer_fd;

		*whose = fd;
	}
	/* Nobody else reads it, and one blocking read is the shortest way to wait. */
	if (fcntl(path->fd, F_SETFL, 0) != 0)
		err(1, "cannot wait at an eventfd");
	path->words = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
			   memory, 0);
	if (path->words == MAP_FAILED)
		err(1, "cannot map ivshmem's memory");
	path->emit = emit;
	path->wait = wait;
}
