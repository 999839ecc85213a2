/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * any_address NAME: use a dataport as any memory is used, by whichever way the library has to it:
 * words at odd addresses, and what the C library does to copy and to clear.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <crossvm/connection.h>

#define BYTES 1024

struct anywhere {
	uint64_t value;
} __attribute__((packed));

static void words(unsigned char *at)
{
	for (size_t i = 0; i + sizeof(uint64_t) <= BYTES; i++) {
		volatile struct anywhere *word = (void *)(at + i);

		word->value = ~(uint64_t)i;
		if (word->value != ~(uint64_t)i)
			errx(1, "another word at %zu", i);
	}
}

static void blocks(unsigned char *at)
{
	unsigned char expected[BYTES], block[BYTES];

	for (size_t length = 1; length <= BYTES / 2; length++) {
		memset(expected, 0xa5, BYTES);
		memset(expected + length, 0, length);
		memcpy(at, memset(block, 0xa5, BYTES), BYTES);
		memset(at + length, 0, length);
		memcpy(block, at, BYTES);
		if (memcmp(block, expected, BYTES) != 0)
			errx(1, "%zu bytes were cleared otherwise", length);
	}
}

int main(int argc, char **argv)
{
	struct crossvm_connection *conn;
	unsigned char *dataport;
	size_t bytes;

	if (argc != 2)
		errx(2, "usage: any_address NAME");
	if (crossvm_connection_open(argv[1], CROSSVM_OPEN_WRITE, NULL, &conn))
		errx(1, "%s", crossvm_last_error());
	dataport = crossvm_connection_dataport(conn, &bytes);
	if (bytes < 2 * BYTES)
		errx(1, "%s: a dataport of %zu bytes is too small for this", argv[1], bytes);
	/* Over a page's border where there is one, and at odd addresses all the same. */
	dataport += bytes / 2 - BYTES / 2 + 1;
	words(dataport);
	blocks(dataport);
	crossvm_connection_close(conn);
	puts("memory");
	return 0;
}
