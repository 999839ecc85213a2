/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/mapping.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int crossvm_map(struct crossvm_mapping *mapping, int fd, off_t offset, size_t bytes, int protection)
{
	void *address = mmap(NULL, bytes, protection, MAP_SHARED, fd, offset);

	if (address == MAP_FAILED)
		return -errno;
	mapping->address = address;
	mapping->bytes = bytes;
	return 0;
}

void crossvm_unmap(struct crossvm_mapping *mapping)
{
	if (mapping->address)
		munmap(mapping->address, mapping->bytes);
	*mapping = (struct crossvm_mapping){0};
}

void crossvm_load_words(void *destination, const void *base, size_t offset, size_t bytes)
{
	for (size_t done = 0; done + sizeof(uint32_t) <= bytes; done += sizeof(uint32_t)) {
		uint32_t word = crossvm_load32(base, offset + done);

		memcpy((char *)destination + done, &word, sizeof(word));
	}
}
