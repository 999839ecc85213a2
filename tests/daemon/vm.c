/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vfio_user/protocol.h"

#define PATIENCE_MS 60000

static void receive_all(int fd, void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = recv(fd, (char *)data + done, bytes - done, 0);

		assert_true(n > 0);
		done += (size_t)n;
	}
}

/* Send a command with a descriptor (-1: none). */
static void send_command(int fd, uint16_t id, uint16_t command, uint32_t flags, const void *payload,
			 size_t bytes, int with)
{
	unsigned char message[256];
	const struct vfio_user_header header = {.id = id,
						.command = command,
						.bytes = (uint32_t)(sizeof(header) + bytes),
						.flags = flags};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = message, .iov_len = header.bytes};
	struct msghdr out = {.msg_iov = &iov, .msg_iovlen = 1};

	assert_true(header.bytes <= sizeof(message));
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), payload, bytes);
	if (with >= 0) {
		struct cmsghdr *cmsg = (void *)control;

		out.msg_control = control;
		out.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &with, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &out, MSG_NOSIGNAL), header.bytes);
}

/* Receive the answer to a command. @return a descriptor that came with it, or -1. */
static int receive_answer(int fd, uint16_t id, uint16_t command, void *payload, size_t bytes)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct vfio_user_header header;
	struct iovec iov = {.iov_base = &header, .iov_len = sizeof(header)};
	struct msghdr in = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	struct cmsghdr *cmsg;
	unsigned char rest[4096];
	int with = -1;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_int_equal(recvmsg(fd, &in, MSG_CMSG_CLOEXEC), sizeof(header));
	assert_int_equal(header.id, id);
	assert_int_equal(header.command, command);
	assert_int_equal(header.flags & VFIO_USER_FLAGS_TYPE, VFIO_USER_FLAGS_REPLY);
	assert_int_equal(header.error, 0);
	assert_true(header.bytes - sizeof(header) <= sizeof(rest));
	receive_all(fd, rest, header.bytes - sizeof(header));
	assert_true(bytes <= header.bytes - sizeof(header));
	if (bytes > 0)
		memcpy(payload, rest, bytes);
	cmsg = CMSG_FIRSTHDR(&in);
	if (cmsg != NULL)
		memcpy(&with, CMSG_DATA(cmsg), sizeof(int));
	return with;
}

/* @return the socket, or -errno. */
static int try_connect(const struct daemon *daemon, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", daemon->sockets, name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int vm_connect(const struct daemon *daemon, const char *name)
{
	int fd = try_connect(daemon, name);

	assert_true(fd >= 0);
	return fd;
}

bool vm_is_welcome(const struct daemon *daemon, const char *name)
{
	const struct {
		struct vfio_user_header header;
		struct vfio_user_version version;
	} message = {{.id = 1, .command = VFIO_USER_VERSION, .bytes = sizeof(message)},
		     {VFIO_USER_MAJOR, VFIO_USER_MINOR}};
	int fd = try_connect(daemon, name);
	bool welcome = fd >= 0 && send(fd, &message, sizeof(message), MSG_NOSIGNAL) > 0;
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char byte;

	/* It may not even be allowed to connect. */
	if (fd < 0)
		return false;
	if (poll(&ready, 1, PATIENCE_MS) != 1 || read(fd, &byte, 1) <= 0)
		welcome = false;
	close(fd);
	return welcome;
}

static int attach(struct vm *vm, const struct daemon *daemon, const char *name,
		  const char *connection, const char *function)
{
	/* As QEMU says it. */
	static const struct {
		struct vfio_user_version version;
		char capabilities[112];
	} offer = {{VFIO_USER_MAJOR, VFIO_USER_MINOR},
		   "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
		   "\"pgsizes\":4096,\"max_dma_maps\":65535}}"};
	struct vfio_user_version answer;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s.%s.%s", name, connection, function);
	fd = vm_connect(daemon, path);
	send_command(fd, ++vm->next_id, VFIO_USER_VERSION, 0, &offer, sizeof(offer), -1);
	receive_answer(fd, vm->next_id, VFIO_USER_VERSION, &answer, sizeof(answer));
	return fd;
}

struct vm vm_attach(const struct daemon *daemon, const char *name, const char *connection)
{
	struct vfio_region_info region = {.argsz = 4096, .index = VFIO_PCI_BAR0_REGION_INDEX};
	const struct vfio_irq_set irqs = {.argsz = sizeof(irqs),
					  .flags = VFIO_IRQ_SET_DATA_EVENTFD |
						   VFIO_IRQ_SET_ACTION_TRIGGER,
					  .index = VFIO_PCI_MSI_IRQ_INDEX,
					  .count = 1};
	struct vm vm = {.interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	int page_fd;

	vm.events = attach(&vm, daemon, name, connection, "events");
	vm.memory = attach(&vm, daemon, name, connection, "memory");
	send_command(vm.memory, ++vm.next_id, VFIO_USER_DEVICE_GET_REGION_INFO, 0, &region,
		     sizeof(region), -1);
	page_fd = receive_answer(vm.memory, vm.next_id, VFIO_USER_DEVICE_GET_REGION_INFO, &region,
				 sizeof(region));
	assert_true(page_fd >= 0);
	vm.page = mmap(NULL, CROSSVM_PAGE_BYTES, PROT_READ, MAP_SHARED, page_fd,
		       (off_t)region.offset);
	assert_true(vm.page != MAP_FAILED);
	close(page_fd);
	assert_int_equal(vm.page->magic, CROSSVM_ABI_MAGIC);
	send_command(vm.events, ++vm.next_id, VFIO_USER_DEVICE_SET_IRQS, 0, &irqs, sizeof(irqs),
		     vm.interrupt);
	receive_answer(vm.events, vm.next_id, VFIO_USER_DEVICE_SET_IRQS, NULL, 0);
	return vm;
}

void vm_detach(struct vm *vm)
{
	close(vm->events);
	close(vm->memory);
	close(vm->interrupt);
	munmap((void *)vm->page, CROSSVM_PAGE_BYTES);
}

void vm_write_register(struct vm *vm, uint32_t offset, uint32_t value, bool posted)
{
	struct {
		struct vfio_user_access access;
		uint32_t value;
	} write = {{.offset = offset, .region = VFIO_PCI_BAR0_REGION_INDEX, .count = 4}, value};
	struct vfio_user_access answer;

	send_command(vm->events, ++vm->next_id, VFIO_USER_REGION_WRITE,
		     posted ? VFIO_USER_FLAGS_NO_REPLY : 0, &write, sizeof(write.access) + 4, -1);
	if (!posted)
		receive_answer(vm->events, vm->next_id, VFIO_USER_REGION_WRITE, &answer,
			       sizeof(answer));
}

uint32_t vm_read_register(struct vm *vm, uint32_t offset)
{
	const struct vfio_user_access access = {
		.offset = offset, .region = VFIO_PCI_BAR0_REGION_INDEX, .count = 4};
	struct {
		struct vfio_user_access access;
		uint32_t value;
	} answer;

	send_command(vm->events, ++vm->next_id, VFIO_USER_REGION_READ, 0, &access, sizeof(access),
		     -1);
	receive_answer(vm->events, vm->next_id, VFIO_USER_REGION_READ, &answer,
		       sizeof(answer.access) + 4);
	return answer.value;
}

static void wait_interrupt(const struct vm *vm)
{
	struct pollfd ready = {.fd = vm->interrupt, .events = POLLIN};
	uint64_t count;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_int_equal(read(vm->interrupt, &count, sizeof(count)), sizeof(count));
}

void vm_wait_total(const struct vm *vm, uint64_t total)
{
	uint64_t now;

	while ((now = __atomic_load_n(&vm->page->total_events, __ATOMIC_ACQUIRE)) < total)
		wait_interrupt(vm);
	assert_int_equal(now, total);
}

void vm_wait_peer(const struct vm *vm, uint32_t member, uint32_t state, uint32_t incarnation)
{
	const struct crossvm_peer_status *peer = &vm->page->peers[member];

	while (__atomic_load_n(&peer->state, __ATOMIC_ACQUIRE) != state ||
	       __atomic_load_n(&peer->incarnation, __ATOMIC_ACQUIRE) < incarnation)
		wait_interrupt(vm);
	assert_int_equal(__atomic_load_n(&peer->incarnation, __ATOMIC_ACQUIRE), incarnation);
}
