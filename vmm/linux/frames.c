/* SPDX-License-Identifier: BSD-2-Clause */
/* Dataports and frames. A frame handle is a descriptor and a page in it, in one number. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/memory.h"
#include "vmm/linux/internal.h"

#define FRAME_PAGE_BITS 40u /* the page; above it the descriptor plus one, so that 0 is no frame */
#define FRAME_PAGES     (1ull << FRAME_PAGE_BITS)
#define FRAME_MAX_FD    ((1 << 23) - 2)

int crossvm_dataport_create(const char *name, size_t bytes, int *fd)
{
	*fd = -1;
	if (bytes == 0 || bytes % CROSSVM_PAGE_BYTES || bytes > CROSSVM_MAX_DATAPORT_BYTES)
		return -EINVAL;
	*fd = memory_create(name, bytes);
	return *fd < 0 ? *fd : 0;
}

int crossvm_frames_from_memfd(int fd, size_t offset, size_t frame_bytes, int num_frames,
			      seL4_CPtr *frames)
{
	const uint64_t first = offset / CROSSVM_PAGE_BYTES;
	const uint64_t pages = frame_bytes / CROSSVM_PAGE_BYTES;
	struct stat status;
	int seals;

	if (num_frames < 1 || frame_bytes == 0 || frame_bytes % CROSSVM_PAGE_BYTES ||
	    offset % CROSSVM_PAGE_BYTES || fd > FRAME_MAX_FD ||
	    pages > FRAME_PAGES / (uint64_t)num_frames ||
	    first > FRAME_PAGES - pages * (uint64_t)num_frames)
		return -EINVAL;
	if (fstat(fd, &status))
		return -errno;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return -EINVAL;
	if (!(seals & F_SEAL_SHRINK))
		return -EPERM;
	if ((first + pages * (uint64_t)num_frames) * CROSSVM_PAGE_BYTES > (uint64_t)status.st_size)
		return -EINVAL;
	for (int i = 0; i < num_frames; i++)
		frames[i] = (uint64_t)(fd + 1) << FRAME_PAGE_BITS | (first + pages * (uint64_t)i);
	return 0;
}

int memory_of_frames(const seL4_CPtr *frames, size_t num_frames, size_t frame_bytes, int *fd,
		     uint64_t *offset)
{
	const uint64_t pages = frame_bytes / CROSSVM_PAGE_BYTES;
	struct stat status;

	for (size_t i = 0; i < num_frames; i++)
		if (frames[i] != frames[0] + i * pages)
			return -EINVAL;
	*fd = (int)(frames[0] >> FRAME_PAGE_BITS) - 1;
	*offset = (frames[0] & (FRAME_PAGES - 1)) * CROSSVM_PAGE_BYTES;
	/* Whoever made up the number gets an error, not a SIGBUS. */
	if (fstat(*fd, &status) || !(fcntl(*fd, F_GET_SEALS) & F_SEAL_SHRINK) ||
	    *offset + num_frames * frame_bytes > (uint64_t)status.st_size)
		return -EINVAL;
	return 0;
}
