/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/vfio_user/client.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void device_read(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes)
{
	struct test_server *server = context;

	memset(data, 0x5a, bytes);
	if (region == VFIO_PCI_BAR0_REGION_INDEX)
		memcpy(data, server->bar + offset, bytes);
}

static void device_write(void *context, uint32_t region, uint64_t offset, const void *data,
			 size_t bytes)
{
	struct test_server *server = context;

	++*server->writes;
	if (region == VFIO_PCI_BAR0_REGION_INDEX)
		memcpy(server->bar + offset, data, bytes);
}

static void device_reset(void *context)
{
	((struct test_server *)context)->resets++;
}

static void device_attached(void *context, bool attached)
{
	((struct test_server *)context)->attached = attached;
}

static bool device_level(void *context)
{
	return ((struct test_server *)context)->level;
}

static bool device_pending(void *context)
{
	return ((struct test_server *)context)->pending;
}

static void device_watch(void *context, int fd, bool watch)
{
	((struct test_server *)context)->watched = watch ? fd : -1;
}

/* As the kernel says it. */
static bool device_is_eventfd(void *context, int fd)
{
	char path[32], link[32] = {0};

	(void)context;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, link, sizeof(link) - 1) > 0 &&
	       strcmp(link, "anon_inode:[eventfd]") == 0;
}

static void device_held_up(void *context)
{
	((struct test_server *)context)->held_up++;
}

static bool device_may_interrupt(void *context)
{
	return !((struct test_server *)context)->no_interrupts;
}

static void device_complain(void *context, const char *message)
{
	struct test_server *server = context;

	server->complaints++;
	snprintf(server->complaint, sizeof(server->complaint), "%s", message);
}

static const struct vfio_user_ops device_ops = {
	.read = device_read,
	.write = device_write,
	.reset = device_reset,
	.attached = device_attached,
	.intx_level = device_level,
	.pending = device_pending,
	.is_eventfd = device_is_eventfd,
	.watch = device_watch,
	.held_up = device_held_up,
	.may_interrupt = device_may_interrupt,
	.complain = device_complain,
};

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void serve(struct test_server *server)
{
	unsigned int budget = UINT32_MAX;

	if (vfio_user_is_open(server->session))
		server->result = vfio_user_serve(server->session, &server->device, &budget);
}

struct test_server *server_start(void)
{
	struct test_server *server = calloc(1, sizeof(*server));
	int pair[2];

	assert_non_null(server);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	server->client = pair[1];
	server->serve = serve;
	server->session = shared(sizeof(*server->session));
	server->bar = shared(TEST_BAR_BYTES);
	server->writes = shared(sizeof(*server->writes));
	server->memory_fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(server->memory_fd, TEST_MEMORY_BYTES), 0);
	server->watched = -1;
	server->device = (struct vfio_user_device){
		.ops = &device_ops, .context = server, .intx = true, .msi = true};
	server->device.regions[VFIO_PCI_CONFIG_REGION_INDEX] =
		(struct vfio_user_region){256, true, true, 0, 0, 0, -1};
	server->device.regions[VFIO_PCI_BAR0_REGION_INDEX] =
		(struct vfio_user_region){TEST_BAR_BYTES, true, true, 0, 0, 0, -1};
	server->device.regions[VFIO_PCI_BAR2_REGION_INDEX] = (struct vfio_user_region){
		TEST_REGION_BYTES, true, false, 0, TEST_MEMORY_BYTES, 0, server->memory_fd};
	vfio_user_init(server->session);
	vfio_user_open(server->session, pair[0]);
	return server;
}

struct test_server *server_start_negotiated(void)
{
	struct test_server *server = server_start();
	const struct vfio_user_version version = {0};

	client_expect(server, VFIO_USER_VERSION, &version, sizeof(version), 0);
	return server;
}

void server_end(struct test_server *server)
{
	vfio_user_close(server->session, &server->device);
	if (server->client >= 0)
		close(server->client);
	close(server->memory_fd);
	munmap(server->session, sizeof(*server->session));
	munmap(server->bar, TEST_BAR_BYTES);
	munmap(server->writes, sizeof(*server->writes));
	free(server);
}

void client_send_raw(struct test_server *server, const void *bytes, size_t count, const int *fds,
		     size_t num_fds)
{
	uint64_t control[CMSG_SPACE(64 * sizeof(int)) / 8] = {0};
	unsigned char copy[2 * WIRE_MESSAGE_BYTES];
	struct iovec iov = {.iov_base = copy, .iov_len = count};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	assert_true(count <= sizeof(copy));
	memcpy(copy, bytes, count);
	if (num_fds) {
		struct cmsghdr *cmsg = (void *)control;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, num_fds * sizeof(int));
	}
	if (sendmsg(server->client, &message, MSG_NOSIGNAL) < 0)
		return; /* the server has parted from us */
	server->serve(server);
}

void client_send(struct test_server *server, uint16_t command, uint32_t flags, const void *payload,
		 size_t bytes, const int *fds, size_t num_fds)
{
	unsigned char message[2 * WIRE_MESSAGE_BYTES];
	const struct vfio_user_header header = {
		.id = 77,
		.command = command,
		.bytes = (uint32_t)(sizeof(header) + bytes),
		.flags = flags,
	};

	memcpy(message, &header, sizeof(header));
	if (bytes)
		memcpy(message + sizeof(header), payload, bytes);
	client_send_raw(server, message, header.bytes, fds, num_fds);
}

bool client_receive(struct test_server *server, struct test_reply *reply)
{
	uint64_t control[CMSG_SPACE(sizeof(int)) / 8] = {0};
	struct iovec iov = {.iov_base = &reply->header, .iov_len = sizeof(reply->header)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t count = recvmsg(server->client, &message, MSG_DONTWAIT);
	struct cmsghdr *cmsg;

	reply->fd = -1;
	if (count <= 0)
		return false;
	assert_int_equal(count, sizeof(reply->header));
	cmsg = CMSG_FIRSTHDR(&message);
	if (cmsg)
		memcpy(&reply->fd, CMSG_DATA(cmsg), sizeof(int));
	reply->payload_bytes = reply->header.bytes - sizeof(reply->header);
	if (reply->payload_bytes)
		assert_int_equal(
			recv(server->client, reply->payload, reply->payload_bytes, MSG_DONTWAIT),
			reply->payload_bytes);
	return true;
}

struct test_reply client_ask_with_fds(struct test_server *server, uint16_t command,
				      const void *payload, size_t bytes, const int *fds,
				      size_t num_fds)
{
	struct test_reply reply;

	client_send(server, command, 0, payload, bytes, fds, num_fds);
	assert_true(client_receive(server, &reply));
	assert_int_equal(reply.header.id, 77);
	assert_int_equal(reply.header.command, command);
	assert_int_equal(reply.header.flags & VFIO_USER_FLAGS_TYPE, VFIO_USER_FLAGS_REPLY);
	if (reply.header.flags & VFIO_USER_FLAGS_ERROR)
		assert_int_equal(reply.payload_bytes, 0);
	else
		assert_int_equal(reply.header.error, 0);
	return reply;
}

struct test_reply client_ask(struct test_server *server, uint16_t command, const void *payload,
			     size_t bytes)
{
	return client_ask_with_fds(server, command, payload, bytes, NULL, 0);
}

void client_expect(struct test_server *server, uint16_t command, const void *payload, size_t bytes,
		   uint32_t error)
{
	struct test_reply reply = client_ask(server, command, payload, bytes);

	assert_int_equal(reply.header.error, error);
	assert_int_equal((reply.header.flags & VFIO_USER_FLAGS_ERROR) != 0, error != 0);
	assert_int_equal(reply.fd, -1);
}

uint32_t client_set_irqs(struct test_server *server, uint32_t index, uint32_t flags, uint32_t count,
			 int fd)
{
	const struct vfio_irq_set set = {
		.argsz = sizeof(set), .flags = flags, .index = index, .count = count};

	return client_ask_with_fds(server, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), &fd,
				   fd >= 0)
		.header.error;
}

void client_write(struct test_server *server, uint32_t region, uint64_t offset, const void *data,
		  uint32_t bytes)
{
	unsigned char payload[sizeof(struct vfio_user_access) + 64];
	const struct vfio_user_access access = {.offset = offset, .region = region, .count = bytes};

	assert_true(bytes <= 64);
	memcpy(payload, &access, sizeof(access));
	memcpy(payload + sizeof(access), data, bytes);
	client_send(server, VFIO_USER_REGION_WRITE, VFIO_USER_FLAGS_NO_REPLY, payload,
		    sizeof(access) + bytes, NULL, 0);
}

uint64_t eventfd_count(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) < 0 ? 0 : count;
}

unsigned int open_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}
