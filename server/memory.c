/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Sealed so that its size stays. */
static int create(const char *name, size_t bytes)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return -errno;
	/*
	 * All of it is allocated now: a page that cannot be had later would be a SIGBUS, here or in
	 * a guest. posix_fallocate() returns its error.
	 */
	error = fchmod(fd, 0600) ? -errno : -posix_fallocate(fd, 0, (off_t)bytes);
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int memory_create(const char *name, size_t bytes)
{
	const int fd = create(name, bytes);
	int error;

	if (fd < 0 || !fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int memory_create_own(const char *name, size_t bytes, void **memory)
{
	const int fd = create(name, bytes);
	int read_only;

	*memory = NULL;
	if (fd < 0)
		return fd;
	*memory = memory_map(fd, 0, bytes, true);
	if (!*memory || fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL))
		read_only = -errno;
	else
		read_only = memory_reopen_read_only(fd);
	close(fd);
	if (read_only < 0 && *memory) {
		munmap(*memory, bytes);
		*memory = NULL;
	}
	return read_only;
}

int memory_reopen_read_only(int fd)
{
	char path[32];
	int reopened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reopened = open(path, O_RDONLY | O_CLOEXEC);
	return reopened < 0 ? -errno : reopened;
}

void *memory_map(int fd, size_t offset, size_t bytes, bool writable)
{
	void *memory = mmap(NULL, bytes, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd,
			    (off_t)offset);

	return memory == MAP_FAILED ? NULL : memory;
}
