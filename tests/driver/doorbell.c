/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/driver/doorbell.h"

#include <endian.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void doorbell_create(struct doorbell *doorbell, const char *path, uint32_t position)
{
	const struct listener_options listen = {
		.kind = WIRE_STREAM,
		.path = path,
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};

	doorbell->position = position;
	doorbell->socket = -1;
	doorbell->memory_fd = memfd_create("doorbell", MFD_CLOEXEC);
	if (doorbell->memory_fd < 0 || ftruncate(doorbell->memory_fd, CROSSVM_DOORBELL_BYTES))
		err(1, "memory of the doorbell %s", path);
	doorbell->pages = mmap(NULL, CROSSVM_DOORBELL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			       doorbell->memory_fd, 0);
	if (doorbell->pages == MAP_FAILED)
		err(1, "memory of the doorbell %s", path);
	for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++) {
		doorbell->events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (doorbell->events[i] < 0)
			err(1, "eventfd of the doorbell %s", path);
	}
	if (listener_open(&listen, &doorbell->listener))
		errx(1, "cannot listen at %s", path);
}

static void tell(const struct doorbell *doorbell, int64_t number, int fd)
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
	if (sendmsg(doorbell->socket, &out, MSG_NOSIGNAL) != sizeof(message))
		err(1, "cannot greet QEMU");
}

void doorbell_accept(struct doorbell *doorbell)
{
	uint32_t own = doorbell->position & 1;
	int socket = listener_accept(&doorbell->listener);

	if (socket < 0)
		return;
	if (doorbell->socket >= 0)
		close(doorbell->socket);
	doorbell->socket = socket;
	tell(doorbell, 0, -1);
	tell(doorbell, doorbell->position, -1);
	tell(doorbell, -1, doorbell->memory_fd);
	tell(doorbell, doorbell->position ^ 1, doorbell->events[!own]);
	tell(doorbell, doorbell->position, doorbell->events[own]);
}

void doorbell_ring(struct doorbell *doorbell, uint64_t count)
{
	uint32_t own = doorbell->position & 1;

	__atomic_fetch_add(&doorbell->pages[!own].emitted, count, __ATOMIC_SEQ_CST);
	if (eventfd_write(doorbell->events[own], 1))
		err(1, "cannot ring");
}

uint64_t doorbell_rings(struct doorbell *doorbell)
{
	eventfd_t rings;

	return eventfd_read(doorbell->events[!(doorbell->position & 1)], &rings) ? 0 : rings;
}

uint64_t doorbell_emitted(const struct doorbell *doorbell)
{
	return __atomic_load_n(&doorbell->pages[doorbell->position & 1].emitted, __ATOMIC_SEQ_CST);
}

void doorbell_destroy(struct doorbell *doorbell)
{
	listener_close(&doorbell->listener);
	if (doorbell->socket >= 0)
		close(doorbell->socket);
	for (unsigned int i = 0; i < CROSSVM_DOORBELL_MEMBERS; i++)
		close(doorbell->events[i]);
	munmap(doorbell->pages, CROSSVM_DOORBELL_BYTES);
	close(doorbell->memory_fd);
}
