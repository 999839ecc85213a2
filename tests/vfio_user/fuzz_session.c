/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that sends anything. The input is a list of {control, size (16 bits), bytes}: the bytes
 * are sent in one piece, with a descriptor if control says so. Whatever comes, the server must
 * stay within its memory, end, ask the device for nothing outside its regions, and keep no
 * descriptor.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vfio_user/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WITH_EVENTFD 0x01
#define WITH_FILE    0x02
#define INTERRUPT    0x04
#define UNMASK       0x08
#define LEVEL        0x10
#define NEGOTIATE    0x20
#define RESUME       0x40

static unsigned char bar[4096];
static bool level;
static struct vfio_user_device device;

static void check(uint32_t region, uint64_t offset, size_t bytes)
{
	if (region >= VFIO_PCI_NUM_REGIONS || offset > device.regions[region].bytes ||
	    bytes > device.regions[region].bytes - offset)
		abort();
}

static void device_read(void *context, uint32_t region, uint64_t offset, void *data, size_t bytes)
{
	(void)context;
	check(region, offset, bytes);
	memset(data, 1, bytes);
}

static void device_write(void *context, uint32_t region, uint64_t offset, const void *data,
			 size_t bytes)
{
	(void)context;
	check(region, offset, bytes);
	if (region == 0)
		memcpy(bar + offset, data, bytes);
}

static void device_reset(void *context)
{
	(void)context;
}

static void device_attached(void *context, bool attached)
{
	(void)context;
	(void)attached;
}

static bool device_level(void *context)
{
	(void)context;
	return level;
}

static void device_watch(void *context, int fd, bool watch)
{
	(void)context;
	if (fcntl(fd, F_GETFD) < 0)
		abort();
	(void)watch;
}

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
	(void)context;
}

static bool device_may_interrupt(void *context)
{
	(void)context;
	return true;
}

static void device_complain(void *context, const char *message)
{
	(void)context;
	if (strlen(message) == 0)
		abort();
}

static const struct vfio_user_ops ops = {
	.read = device_read,
	.write = device_write,
	.reset = device_reset,
	.attached = device_attached,
	.intx_level = device_level,
	.pending = device_level,
	.is_eventfd = device_is_eventfd,
	.watch = device_watch,
	.held_up = device_held_up,
	.may_interrupt = device_may_interrupt,
	.complain = device_complain,
};

static struct vfio_user_device device = {
	.ops = &ops,
	.intx = true,
	.msi = true,
	.regions =
		{[0] = {.bytes = sizeof(bar), .readable = true, .writable = true, .fd = -1},
		 [2] = {.bytes = 16384, .readable = true, .map_bytes = 12288, .fd = STDERR_FILENO},
		 [VFIO_PCI_CONFIG_REGION_INDEX] =
			 {.bytes = 256, .readable = true, .writable = true, .fd = -1}},
};

static void send_piece(int client, const uint8_t *bytes, size_t count, uint8_t control)
{
	uint64_t space[CMSG_SPACE(2 * sizeof(int)) / 8] = {0};
	unsigned char copy[UINT16_MAX];
	struct iovec iov = {.iov_base = copy, .iov_len = count};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg = (void *)space;
	int fds[2];
	unsigned int num_fds = 0;

	memcpy(copy, bytes, count);
	if (control & WITH_EVENTFD)
		fds[num_fds++] = eventfd(0, EFD_CLOEXEC);
	if (control & WITH_FILE)
		fds[num_fds++] = dup(STDERR_FILENO);
	if (num_fds) {
		message.msg_control = space;
		message.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, num_fds * sizeof(int));
	}
	(void)!sendmsg(client, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (num_fds)
		close(fds[--num_fds]);
}

static void act(struct vfio_user_session *session, uint8_t control)
{
	level = (control & LEVEL) != 0;
	if (control & INTERRUPT)
		vfio_user_interrupt(session, &device);
	if (control & UNMASK)
		vfio_user_unmask(session, &device);
	if (control & RESUME)
		vfio_user_resume(session, &device);
}

/* With a budget that is spent at times, so that messages are left over. */
static int serve(struct vfio_user_session *session, unsigned int budget)
{
	const int result = vfio_user_serve(session, &device, &budget);

	return result > 0 || result == -EBUSY ? 0 : result;
}

static void drain(int client)
{
	unsigned char bytes[4096];

	while (recv(client, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vfio_user_session session;
	const int next = dup(STDERR_FILENO);
	int pair[2];
	int error = 0;

	close(next);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	if (session.wire.progress == 0)
		vfio_user_init(&session);
	vfio_user_open(&session, pair[0]);
	session.negotiated = size > 0 && (data[0] & NEGOTIATE);
	while (size >= 3 && !error) {
		const uint8_t control = data[0];
		size_t count = (size_t)data[1] | (size_t)data[2] << 8;

		data += 3;
		size -= 3;
		count = count < size ? count : size;
		if (count)
			send_piece(pair[1], data, count, control);
		data += count;
		size -= count;
		error = serve(&session, 1 + control % 3);
		drain(pair[1]);
		if (!error)
			error = serve(&session, 1000);
		if (!error)
			act(&session, control);
	}
	vfio_user_close(&session, &device);
	close(pair[1]);
	pair[0] = dup(STDERR_FILENO);
	if (pair[0] != next)
		abort(); /* a descriptor was kept */
	close(pair[0]);
	return 0;
}
