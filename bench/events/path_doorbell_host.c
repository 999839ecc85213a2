/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process in the place of a VM that has a connection with a doorbell, so that the other VM cannot tell:
 * to crossvmd it is that VM's QEMU and its guest in one.
 */
#include "path.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <crossvm/abi.h>

#include "ivshmem_client.h"
#include "vfio_user/protocol.h"

struct doorbell {
	unsigned int member; /* this one */
	struct crossvm_doorbell_page *pages;
	const struct crossvm_status_page *status;
	uint64_t seen;
};

static void emit(struct path *path)
{
	struct doorbell *doorbell = path->connection;
	const uint64_t one = 1;

	__atomic_fetch_add(&doorbell->pages[doorbell->member].emitted, 1, __ATOMIC_SEQ_CST);
	if (write(path->peer_fd, &one, sizeof(one)) != sizeof(one))
		err(1, "cannot ring");
}

static uint64_t wait(struct path *path)
{
	struct doorbell *doorbell = path->connection;
	uint64_t rings, total, count;

	if (read(path->fd, &rings, sizeof(rings)) != sizeof(rings))
		err(1, "cannot wait for a ring");
	total = __atomic_load_n(&doorbell->pages[!doorbell->member].emitted, __ATOMIC_ACQUIRE);
	count = total - doorbell->seen;
	doorbell->seen = total;
	return count;
}

/* Send a message and receive its answer into reply, with what comes along. @return the descriptor or -1. */
static int ask(int server, uint16_t command, const void *payload, size_t bytes, void *reply,
	       size_t reply_bytes)
{
	static uint16_t id;
	struct vfio_user_header header = {
		.id = id++, .command = command, .bytes = (uint32_t)(sizeof(header) + bytes)};
	struct iovec out[] = {{&header, sizeof(header)}, {(void *)payload, bytes}};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	unsigned char message[512];
	struct iovec iov = {message, sizeof(message)};
	struct msghdr in = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;
	ssize_t received;
	int fd = -1;

	if (writev(server, out, 2) != (ssize_t)header.bytes)
		err(1, "cannot send to crossvmd");
	received = recvmsg(server, &in, MSG_CMSG_CLOEXEC);
	if (received < (ssize_t)sizeof(header))
		errx(1, "crossvmd does not answer command %u", command);
	memcpy(&header, message, sizeof(header));
	if (header.flags & VFIO_USER_FLAGS_ERROR)
		errx(1, "crossvmd refuses command %u: %s", command, strerror((int)header.error));
	if (received < (ssize_t)(sizeof(header) + reply_bytes))
		errx(1, "crossvmd answers command %u with less than that takes", command);
	memcpy(reply, message + sizeof(header), reply_bytes);
	cmsg = CMSG_FIRSTHDR(&in);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* Attach to a function, PATH.PART. */
static int attach(const char *path, const char *part)
{
	struct vfio_user_version version = {VFIO_USER_MAJOR, VFIO_USER_MINOR};
	char name[128];
	int server;

	snprintf(name, sizeof(name), "%s.%s", path, part);
	server = socket_connect(name);
	ask(server, VFIO_USER_VERSION, &version, sizeof(version), &version, sizeof(version));
	return server;
}

static void *map_region(int server, uint32_t index, int protection)
{
	struct vfio_region_info info = {.argsz = 64, .index = index};
	int fd = ask(server, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), &info,
		     sizeof(info));
	void *address =
		mmap(NULL, CROSSVM_PAGE_BYTES, protection, MAP_SHARED, fd, (off_t)info.offset);

	if (address == MAP_FAILED)
		err(1, "cannot map region %u", index);
	return address;
}

static void listen_at_doorbell(int server)
{
	const uint32_t value = CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_DOORBELL;
	struct vfio_user_access access = {.offset = CROSSVM_REG_CONTROL,
					  .region = CROSSVM_BAR_REGISTERS,
					  .count = sizeof(value)};
	unsigned char write[sizeof(access) + sizeof(value)];

	memcpy(write, &access, sizeof(access));
	memcpy(write + sizeof(access), &value, sizeof(value));
	ask(server, VFIO_USER_REGION_WRITE, write, sizeof(write), &access, sizeof(access));
}

void path_open_doorbell_host(struct path *path, const char *vm_and_connection)
{
	static struct doorbell doorbell;
	int memory = attach(vm_and_connection, "memory");
	struct ivshmem_peer peer;
	char socket[128];

	doorbell.status = map_region(memory, CROSSVM_BAR_STATUS, PROT_READ);
	path->words = map_region(memory, CROSSVM_BAR_DATAPORT, PROT_READ | PROT_WRITE);
	listen_at_doorbell(attach(vm_and_connection, "events"));
	snprintf(socket, sizeof(socket), "%s.doorbell", vm_and_connection);
	peer = ivshmem_join(socket);
	doorbell.member = (unsigned int)peer.id & 1;
	doorbell.pages = mmap(NULL, CROSSVM_DOORBELL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			      peer.memory, 0);
	if (doorbell.pages == MAP_FAILED)
		err(1, "cannot map the doorbell's memory");
	while (!(doorbell.status->listeners >> !doorbell.member & 1))
		usleep(1000);
	doorbell.seen = doorbell.pages[!doorbell.member].emitted;
	path->connection = &doorbell;
	path->fd = peer.own;
	path->peer_fd = peer.other;
	path->emit = emit;
	path->wait = wait;
}
