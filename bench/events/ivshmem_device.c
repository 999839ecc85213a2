/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/events/ivshmem_device.h"

#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE       "/sys/bus/pci/drivers/ivshmem_uio/0*"
#define REG_POSITION 2 /* which peer this VM is; in words */
#define REG_DOORBELL 3

/* The one file that a pattern matches. */
static int open_only(const char *pattern)
{
	glob_t found;
	int fd;

	if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc != 1)
		errx(1, "not just one %s here", pattern);
	fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "cannot open %s", found.gl_pathv[0]);
	globfree(&found);
	return fd;
}

static void *map_resource(const char *pattern, size_t *bytes)
{
	int fd = open_only(pattern);
	struct stat stat;
	void *address;

	if (fstat(fd, &stat) != 0)
		err(1, "cannot look at %s", pattern);
	*bytes = (size_t)stat.st_size;
	address = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		err(1, "cannot map %s", pattern);
	close(fd);
	return address;
}

static int open_uio(void)
{
	glob_t found;
	char path[64];

	if (glob(DEVICE "/uio/uio*", 0, NULL, &found) != 0 || found.gl_pathc != 1)
		errx(1, "no UIO device of ivshmem here");
	snprintf(path, sizeof(path), "/dev/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return open_only(path);
}

void ivshmem_open(struct ivshmem *device)
{
	size_t bytes;
	volatile uint32_t *registers = map_resource(DEVICE "/resource0", &bytes);

	device->memory = map_resource(DEVICE "/resource2_wc", &device->memory_bytes);
	device->doorbell = &registers[REG_DOORBELL];
	device->peer = 1 - registers[REG_POSITION];
	device->fd = open_uio();
}

void ivshmem_wait(struct ivshmem *device)
{
	uint32_t interrupts;

	if (read(device->fd, &interrupts, sizeof(interrupts)) != sizeof(interrupts))
		err(1, "cannot wait for ivshmem's interrupt");
}
