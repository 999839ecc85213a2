/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status page of a component member: as a VM's (crossvm/abi.h), but without a device around it.
 * Components get it read-only. The daemon writes it, also while reading back what it wrote itself:
 * nobody else can.
 */
#ifndef CROSSVM_DAEMON_PAGE_H
#define CROSSVM_DAEMON_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/abi.h>

struct page {
	struct crossvm_status_page *address; /* shared mapping */
	int fd;                              /* read-only */
};

/* What stands in the page for good. */
struct page_options {
	const char *connection;
	uint32_t connection_id;
	uint32_t member_id;
	uint32_t member_count;
	uint32_t access;
	uint64_t dataport_bytes;
	uint64_t writers;
};

/*
 * Make a page, sealed: nobody can change its size or ever map it writable again.
 *
 * @return 0 or -errno.
 */
int page_create(const struct page_options *options, struct page *page);
/* Accepts a zeroed page. */
void page_destroy(struct page *page);

void page_set_peer_name(struct page *page, uint32_t member_id, const char *name);

/* Each returns whether it changed anything, so that somebody must be woken. */
bool page_set_total(struct page *page, uint64_t total);
bool page_set_peer(struct page *page, uint32_t member_id, struct crossvm_peer_status status);
/* After the peers. */
bool page_set_generation(struct page *page, uint32_t generation);

/* A descriptor of the same memory through which it cannot be written; -errno on failure. */
int page_read_only(int fd);

#endif
