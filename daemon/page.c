/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int page_read_only(int fd)
{
	char path[64];
	int read_only;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	return read_only < 0 ? -errno : read_only;
}

/* Memory of a page; mode 0600, or else whoever gets it read-only could open it again to write. */
static int create_memory(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) == 0 && ftruncate(fd, CROSSVM_PAGE_BYTES) == 0 &&
	    fallocate(fd, 0, 0, CROSSVM_PAGE_BYTES) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static void fill(struct crossvm_status_page *status, const struct page_options *options)
{
	status->magic = CROSSVM_ABI_MAGIC;
	status->version = CROSSVM_ABI_VERSION;
	status->connection_id = options->connection_id;
	status->member_id = options->member_id;
	status->member_count = options->member_count;
	status->access = options->access;
	status->features = CROSSVM_FEATURE_STATUS_PAGE | CROSSVM_FEATURE_PEERS |
			   (options->dataport_bytes > 0 ? CROSSVM_FEATURE_DATAPORT : 0) |
			   (options->writers ? CROSSVM_FEATURE_WRITERS : 0);
	status->dataport_bytes = options->dataport_bytes;
	status->writers = options->writers;
	strncpy((char *)status->name, options->connection, CROSSVM_NAME_MAX);
}

int page_create(const struct page_options *options, struct page *page)
{
	int fd = create_memory(options->connection);
	int error = 0;

	*page = (struct page){.fd = -1};
	if (fd < 0)
		return fd;
	page->address = mmap(NULL, CROSSVM_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page->address == MAP_FAILED) {
		page->address = NULL;
		error = -errno;
		goto out;
	}
	fill(page->address, options);
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
		error = -errno;
		goto out;
	}
	page->fd = page_read_only(fd);
	if (page->fd < 0)
		error = page->fd;
out:
	close(fd);
	if (error)
		page_destroy(page);
	return error;
}

void page_destroy(struct page *page)
{
	if (page->address == NULL)
		return;
	munmap(page->address, CROSSVM_PAGE_BYTES);
	if (page->fd >= 0)
		close(page->fd);
	*page = (struct page){.fd = -1};
}

void page_set_peer_name(struct page *page, uint32_t member_id, const char *name)
{
	strncpy((char *)page->address->peer_names[member_id], name, CROSSVM_NAME_MAX);
}

/* Release order pairs with the acquire loads of libcrossvm (lib/status.c). */

bool page_set_total(struct page *page, uint64_t total)
{
	if (page->address->total_events >= total)
		return false;
	__atomic_store_n(&page->address->total_events, total, __ATOMIC_RELEASE);
	return true;
}

bool page_set_peer(struct page *page, uint32_t member_id, struct crossvm_peer_status status)
{
	struct crossvm_peer_status *peer = &page->address->peers[member_id];

	if (peer->state == status.state && peer->incarnation == status.incarnation)
		return false;
	__atomic_store_n(&peer->incarnation, status.incarnation, __ATOMIC_RELEASE);
	__atomic_store_n(&peer->state, status.state, __ATOMIC_RELEASE);
	return true;
}

bool page_set_generation(struct page *page, uint32_t generation)
{
	if (page->address->generation == generation)
		return false;
	__atomic_store_n(&page->address->generation, generation, __ATOMIC_RELEASE);
	return true;
}
