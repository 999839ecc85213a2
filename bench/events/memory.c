/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast a VM's processor reads and writes a mapping, in words of 64 bits, which any mapping bears.
 *
 *	memory CONNECTION        a dataport as the library maps it
 *	memory /PATH             a file, such as a PCI resource
 *	memory ram               memory of the process itself
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <crossvm/connection.h>

#include "ticks.h"

#define BYTES  (1u << 20)
#define PASSES 5

static volatile uint64_t *map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *address = MAP_FAILED;

	if (fd >= 0)
		address = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		err(1, "cannot map %s", path);
	close(fd);
	return address;
}

static volatile uint64_t *map(const char *what)
{
	struct crossvm_connection *connection;
	void *address;
	size_t bytes;

	if (what[0] == '/')
		return map_file(what);
	if (strcmp(what, "ram") == 0) {
		address = aligned_alloc(4096, BYTES);
		if (!address)
			err(1, "cannot have %u bytes", BYTES);
		return address;
	}
	if (crossvm_connection_open(what, CROSSVM_OPEN_WRITE, NULL, &connection) != 0)
		errx(1, "%s", crossvm_last_error());
	address = crossvm_connection_dataport(connection, &bytes);
	if (!address || bytes < BYTES)
		errx(1, "%s: its dataport is smaller than %u bytes", what, BYTES);
	return address;
}

static void write_all(volatile uint64_t *words)
{
	for (size_t i = 0; i < BYTES / sizeof(*words); i += 4) {
		words[i] = i;
		words[i + 1] = i;
		words[i + 2] = i;
		words[i + 3] = i;
	}
}

static void read_all(volatile uint64_t *words)
{
	for (size_t i = 0; i < BYTES / sizeof(*words); i += 4) {
		(void)words[i];
		(void)words[i + 1];
		(void)words[i + 2];
		(void)words[i + 3];
	}
}

/* The best of some passes: what disturbs only makes it slower. @return MB a second. */
static double speed(volatile uint64_t *words, void (*pass)(volatile uint64_t *words), double ns)
{
	uint64_t best = UINT64_MAX;

	pass(words); /* page faults, and QEMU's translation */
	for (int i = 0; i < PASSES; i++) {
		uint64_t start = ticks(), took;

		pass(words);
		took = ticks() - start;
		best = took < best ? took : best;
	}
	return BYTES * 1000.0 / ((double)best * ns);
}

int main(int argc, char **argv)
{
	volatile uint64_t *words;
	double ns, write;

	if (argc != 2)
		errx(2, "usage: %s CONNECTION | /PATH | ram", argv[0]);
	words = map(argv[1]);
	ns = ns_per_tick();
	write = speed(words, write_all, ns);
	printf("write %.0f read %.0f\n", write, speed(words, read_all, ns));
	return 0;
}
