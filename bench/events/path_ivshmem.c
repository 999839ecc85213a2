/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICE       "/sys/bus/pci/drivers/ivshmem_uio/0*"
#define REG_POSITION 2 /* which peer this VM is; in words */
#define REG_DOORBELL 3

static void emit(struct path *path)
{
	*path->doorbell = path->peer << 16;
}

static uint64_t wait(struct path *path)
{
	uint32_t interrupts;

	if (read(path->fd, &interrupts, sizeof(interrupts)) != sizeof(interrupts))
		err(1, "cannot wait for ivshmem's interrupt");
	return 0;
}

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

static void *map_resource(const char *pattern)
{
	int fd = open_only(pattern);
	void *address = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);

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

void path_open_ivshmem(struct path *path)
{
	volatile uint32_t *registers = map_resource(DEVICE "/resource0");

	path->words = map_resource(DEVICE "/resource2_wc");
	path->doorbell = &registers[REG_DOORBELL];
	path->peer = 1 - registers[REG_POSITION];
	path->fd = open_uio();
	path->emit = emit;
	path->wait = wait;
}
