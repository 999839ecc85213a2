/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/status.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/error.h"
#include "lib/mapping.h"

#define FIELD(page, field) crossvm_load32(page, offsetof(struct crossvm_status_page, field))

bool crossvm_dataport_bytes_valid(uint64_t bytes)
{
	return bytes % CROSSVM_PAGE_BYTES == 0 && bytes <= CROSSVM_MAX_DATAPORT_BYTES;
}

void crossvm_name_clean(char name[CROSSVM_NAME_BYTES])
{
	name[CROSSVM_NAME_BYTES - 1] = '\0';
	for (char *c = name; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

static int check_identity(const void *page, const char *name)
{
	uint32_t magic = FIELD(page, magic);
	uint32_t version = FIELD(page, version);
	char found[CROSSVM_NAME_BYTES];

	if (magic != CROSSVM_ABI_MAGIC)
		return crossvm_fail(
			-EPROTO,
			"%s: its status page begins with 0x%08x instead of 0x%08x; is the "
			"host's crossvm running?",
			name, magic, CROSSVM_ABI_MAGIC);
	if (version != CROSSVM_ABI_VERSION)
		return crossvm_fail(
			-EPROTO,
			"%s: the host speaks version %u of the device, this library %u; "
			"install matching versions of crossvm",
			name, version, CROSSVM_ABI_VERSION);
	crossvm_load_words(found, page, offsetof(struct crossvm_status_page, name), sizeof(found));
	crossvm_name_clean(found);
	if (strcmp(found, name) != 0)
		return crossvm_fail(-EPROTO, "%s: its status page belongs to '%s'", name, found);
	return 0;
}

int crossvm_status_read(const void *page, const char *name, struct crossvm_connection_info *info)
{
	int error = check_identity(page, name);

	if (error)
		return error;
	info->connection_id = FIELD(page, connection_id);
	info->member_id = FIELD(page, member_id);
	info->member_count = FIELD(page, member_count);
	info->member_access = FIELD(page, access);
	/* Whether there is a doorbell to use is not for the page to say. */
	info->features = FIELD(page, features) & ~CROSSVM_FEATURE_DOORBELL;
	info->dataport_bytes =
		crossvm_load64_acquire(page, offsetof(struct crossvm_status_page, dataport_bytes));
	if (info->features & CROSSVM_FEATURE_WRITERS)
		info->writers =
			crossvm_load64_acquire(page, offsetof(struct crossvm_status_page, writers));
	if (info->member_count > CROSSVM_MAX_MEMBERS || info->member_id >= info->member_count)
		return crossvm_fail(-EPROTO, "%s: the host says member %u of %u", name,
				    info->member_id, info->member_count);
	if (!crossvm_dataport_bytes_valid(info->dataport_bytes))
		return crossvm_fail(-EPROTO, "%s: the host says a dataport of %llu bytes", name,
				    (unsigned long long)info->dataport_bytes);
	return 0;
}

uint64_t crossvm_status_total(const void *page)
{
	return crossvm_load64_acquire(page, offsetof(struct crossvm_status_page, total_events));
}

uint64_t crossvm_status_listeners(const void *page)
{
	return crossvm_load64_acquire(page, offsetof(struct crossvm_status_page, listeners));
}

uint32_t crossvm_status_generation(const void *page)
{
	const char *at = (const char *)page + offsetof(struct crossvm_status_page, generation);

	return __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

void crossvm_status_peer(const void *page, uint32_t member_id, struct crossvm_peer *peer)
{
	size_t status = offsetof(struct crossvm_status_page, peers) +
			member_id * sizeof(struct crossvm_peer_status);
	size_t name = offsetof(struct crossvm_status_page, peer_names) +
		      (size_t)member_id * CROSSVM_NAME_BYTES;
	/* Both words in one load, so that a state goes with its incarnation. */
	uint64_t both = crossvm_load64_acquire(page, status);

	peer->state = (uint32_t)both;
	peer->incarnation = (uint32_t)(both >> 32);
	if (peer->state > CROSSVM_PEER_OPEN)
		peer->state = CROSSVM_PEER_UNKNOWN;
	crossvm_load_words(peer->name, page, name, CROSSVM_NAME_BYTES);
	crossvm_name_clean(peer->name);
}
