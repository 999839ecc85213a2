/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's /sys and /dev below a folder of a test's own, with one crossvm device in it. A FIFO
 * stands in for /dev/uioN: what is written to it is read as interrupt counts; mmap() and read(),
 * wrapped by the linker, make up for the rest. PCI resources are plain files.
 */
#ifndef CROSSVM_TESTS_FAKE_GUEST_H
#define CROSSVM_TESTS_FAKE_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <crossvm/abi.h>
#include <crossvm/connection.h>

#include "tests/scratch.h"

#define FAKE_GUEST_DATAPORT_BYTES (3u * CROSSVM_PAGE_BYTES)
#define FAKE_GUEST_BAR_BYTES      (4u * CROSSVM_PAGE_BYTES)
#define FAKE_EVENTS               "0000:00:04.0"
#define FAKE_MEMORY               "0000:00:04.1"
#define FAKE_DOORBELL             "0000:00:04.2"

struct fake_guest {
	char root[SCRATCH_BYTES];
	uint32_t *registers; /* by word */
	struct crossvm_status_page *status;
	unsigned char *dataport;
	struct crossvm_doorbell_page *doorbell; /* the other member's page; NULL: there is none */
	struct crossvm_doorbell_page *ring;     /* the own one, and a page of registers; likewise */
	int fifo;
	uint32_t interrupts;
};

/* Folders only; then what a test wants of the following. */
void fake_guest_create(struct fake_guest *guest);
void fake_guest_destroy(struct fake_guest *guest);

/* "telemetry", member 0 of 2, split layout; driver: NULL for none. */
void fake_guest_add_device(struct fake_guest *guest, const char *driver);
/* Make it a device of one function, in the single layout; the memory function goes. */
void fake_guest_single(struct fake_guest *guest);
/* uio0, as uio_crossvm or as uio_pci_generic has it. */
void fake_guest_add_uio_crossvm(struct fake_guest *guest);
void fake_guest_add_uio_generic(struct fake_guest *guest);
/* uio_crossvm as it is where the connection has a doorbell, and where a process can ring it itself. */
void fake_guest_add_uio_with_doorbell(struct fake_guest *guest);
void fake_guest_add_ring(struct fake_guest *guest);
/* Where the library has mapped that last. */
extern unsigned char *fake_guest_ring_mapped;

/* Write, or replace, or with text NULL remove a file. */
void fake_guest_file(const struct fake_guest *guest, const char *path, const char *text);
void fake_guest_link(const struct fake_guest *guest, const char *path, const char *target);
void fake_guest_resize(const struct fake_guest *guest, const char *path, off_t bytes);
uint16_t fake_guest_command(const struct fake_guest *guest);
void fake_guest_set_command(const struct fake_guest *guest, uint16_t command);

/* The device has events, and the kernel an interrupt. */
void fake_guest_events(struct fake_guest *guest, uint64_t count);
void fake_guest_interrupt(struct fake_guest *guest);
/* From now on reading the UIO device fails as after its removal. */
void fake_guest_remove(struct fake_guest *guest);

/* Open below the guest's root, with no component socket around. */
int fake_guest_open(const struct fake_guest *guest, const char *name, unsigned int access,
		    struct crossvm_connection **conn);
/* Fails the test if that fails. */
struct crossvm_connection *fake_guest_must_open(const struct fake_guest *guest,
						unsigned int access);

#endif
