/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio-serial port of each VM, joined on the host. Also: bytes to and from descriptors. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "transport.h"

#define PORT "bench"

int write_all(int fd, const void *message, size_t size)
{
	const uint8_t *from = message;

	while (size) {
		ssize_t n = write(fd, from, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			from += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int read_all(int fd, void *buffer, size_t size)
{
	uint8_t *to = buffer;

	while (size) {
		ssize_t n = read(fd, to, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EPIPE;
		if (n > 0) {
			to += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static bool named(const char *folder)
{
	char path[256], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/name", folder);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = 0;
	fclose(file);
	name[strcspn(name, "\n")] = 0;
	return strcmp(name, PORT) == 0;
}

static void open_serial(struct link *link)
{
	glob_t found;
	char path[256] = "";

	if (glob("/sys/class/virtio-ports/*", 0, NULL, &found) != 0)
		errx(1, "no virtio-serial port here");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		if (named(found.gl_pathv[i]))
			snprintf(path, sizeof(path), "/dev/%s",
				 strrchr(found.gl_pathv[i], '/') + 1);
	}
	globfree(&found);
	link->fd = open(path, O_RDWR | O_CLOEXEC);
	if (link->fd < 0)
		err(1, "cannot open the virtio-serial port '%s' (%s)", PORT, path);
}

static int send(struct link *link, const void *message)
{
	return write_all(link->fd, message, link->size);
}

static int receive(struct link *link, void *buffer)
{
	return read_all(link->fd, buffer, link->size);
}

const struct transport transport_serial = {
	.name = "virtio-serial", .open = open_serial, .send = send, .receive = receive};
