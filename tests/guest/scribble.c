/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In a guest, as root: does to this VM's connections, through PCI's sysfs files, what no driver would.
 *
 *	scribble registers ROUNDS	loads and stores of every width at every place of the registers
 *	scribble memory			stores all over status pages, and dataports that may be written
 *	scribble config ROUNDS		writes to config space, but for COMMAND and BARs
 *	scribble bars ROUNDS		and to those as well
 *	scribble readonly		a store to each dataport that may not be written
 *
 * Random numbers are the same in each run.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <crossvm/abi.h>

#define PCI_DEVICES "/sys/bus/pci/devices"

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % end;
}

static unsigned int read_id(const char *slot, const char *what)
{
	char path[400];
	unsigned int id = 0;
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", slot, what);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%x", &id) != 1)
		id = 0;
	fclose(file);
	return id;
}

/* A BAR, mapped; NULL where there is none. */
static volatile char *map_bar(const char *slot, unsigned int bar, size_t *bytes)
{
	char path[400];
	struct stat status;
	void *memory;
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%u", slot, bar);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &status) || !status.st_size)
		return NULL;
	*bytes = (size_t)status.st_size;
	memory = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		err(1, "%s", path);
	return memory;
}

static void touch(volatile void *at, uint32_t choice)
{
#ifdef __aarch64__
	/* These are mappings of Device memory, where an unaligned access is this program's own end. */
	at = (volatile void *)((uintptr_t)at & ~(uintptr_t)7);
#endif
	switch (choice) {
	case 0:
		*(volatile uint8_t *)at = (uint8_t)random_below(256);
		break;
	case 1:
		*(volatile uint16_t *)at = (uint16_t)random_below(65536);
		break;
	case 2:
		*(volatile uint32_t *)at = random_below(UINT32_MAX);
		break;
	case 3:
		*(volatile uint64_t *)at = (uint64_t)random_below(UINT32_MAX) << 32 | 1;
		break;
	case 4:
		(void)*(volatile uint8_t *)at;
		break;
	case 5:
		(void)*(volatile uint16_t *)at;
		break;
	case 6:
		(void)*(volatile uint32_t *)at;
		break;
	default:
		(void)*(volatile uint64_t *)at;
		break;
	}
}

static void scribble_registers(const char *slot, uint32_t rounds)
{
	size_t bytes;
	volatile char *registers = map_bar(slot, CROSSVM_BAR_REGISTERS, &bytes);

	if (!registers)
		errx(1, "%s: no registers", slot);
	for (uint32_t i = 0; i < rounds; i++) {
		/* Mostly where something is, sometimes anywhere in the page. */
		const uint32_t end = random_below(4) ? CROSSVM_REG_END : (uint32_t)bytes - 8;

		touch(registers + random_below(end), random_below(8));
	}
}

/* @bar: of the memory function. */
static void scribble_memory(const char *slot, unsigned int bar)
{
	size_t bytes;
	volatile char *memory = map_bar(slot, bar, &bytes);

	for (size_t i = 0; memory && i + 8 <= bytes; i += 8)
		touch(memory + i, 3);
}

static bool is_bar_or_command(uint32_t offset)
{
	return (offset >= 4 && offset < 6) || (offset >= 0x10 && offset < 0x28) ||
	       (offset >= 0x30 && offset < 0x34);
}

static void scribble_config(const char *slot, uint32_t rounds, bool with_bars)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", slot);
	fd = open(path, O_RDWR);
	if (fd < 0)
		err(1, "%s", path);
	for (uint32_t i = 0; i < rounds; i++) {
		const uint32_t width = 1u << random_below(3);
		const uint32_t offset = random_below(256 / width) * width;
		const uint32_t value = random_below(UINT32_MAX);

		if ((with_bars || !is_bar_or_command(offset)) &&
		    pwrite(fd, &value, width, offset) != (ssize_t)width)
			err(1, "%s: write at 0x%x", path, offset);
	}
	close(fd);
}

static void scribble(const char *slot, bool events, bool writable, const char *what,
		     uint32_t rounds)
{
	if (!strcmp(what, "registers") && events)
		scribble_registers(slot, rounds);
	if (!strcmp(what, "memory") && !events) {
		scribble_memory(slot, CROSSVM_BAR_STATUS);
		if (writable)
			scribble_memory(slot, CROSSVM_BAR_DATAPORT);
	}
	if (!strcmp(what, "config") || !strcmp(what, "bars"))
		scribble_config(slot, rounds, !strcmp(what, "bars"));
	if (!strcmp(what, "readonly") && !events && !writable)
		scribble_memory(slot, CROSSVM_BAR_DATAPORT);
}

/* Whether this VM may write the dataport of the memory function in slot: its status page says so. */
static bool is_writable(const char *slot)
{
	size_t bytes;
	volatile char *status = map_bar(slot, CROSSVM_BAR_STATUS, &bytes);
	const struct crossvm_status_page *page = (const void *)(uintptr_t)status;

	return page && (page->access & CROSSVM_ACCESS_WRITE);
}

int main(int argc, char **argv)
{
	const uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	struct dirent *entry;
	int found = 0;
	DIR *slots;

	if (argc < 2)
		errx(2, "usage: scribble registers|memory|config|bars|readonly [ROUNDS]");
	slots = opendir(PCI_DEVICES);
	if (!slots)
		err(1, PCI_DEVICES);
	while ((entry = readdir(slots))) {
		const unsigned int device = read_id(entry->d_name, "device");
		const bool events = device == CROSSVM_PCI_DEVICE_EVENTS;

		if (read_id(entry->d_name, "vendor") != CROSSVM_PCI_VENDOR ||
		    (!events && device != CROSSVM_PCI_DEVICE_MEMORY))
			continue;
		found++;
		scribble(entry->d_name, events, !events && is_writable(entry->d_name), argv[1],
			 rounds);
	}
	closedir(slots);
	printf("%s: %d functions\n", argv[1], found);
	return found ? 0 : 1;
}
