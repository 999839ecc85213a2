/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host with one VM and a few connections, and a client in QEMU's place. All in one thread: after
 * the client has sent something, the host dispatches until there is nothing left to do.
 */
#ifndef CROSSVM_TESTS_HOST_GUEST_H
#define CROSSVM_TESTS_HOST_GUEST_H

#include "tests/vfio_user/client.h"
#include "tests/scratch.h"

#include <cross_vm_connection.h>
#include <crossvm/host.h>

#define GUEST_DATAPORT_BYTES 12288u /* BAR2 is 16 KiB */
#define GUEST_CONNECTIONS    4

/* Their consume_id is this plus 10. */
enum guest_connection {
	GUEST_WRITER, /* read-write */
	GUEST_READER, /* read-only */
	GUEST_EVENTS, /* no dataport */
	GUEST_SINGLE, /* single layout */
};

/* In the arena, so that processes cloned from the test count together. */
struct guest_counts {
	uint64_t emitted[GUEST_CONNECTIONS];
	struct {
		uint64_t id;
		uint64_t value;
	} journal[GUEST_CONNECTIONS];
	uint32_t state[GUEST_CONNECTIONS];
};

struct guest;

struct guest_context {
	struct guest *guest;
	enum guest_connection connection;
};

struct guest {
	char directory[SCRATCH_BYTES];
	struct crossvm_host *host;
	vm_t *vm;
	int dataport;
	unsigned char *memory; /* of the dataport */
	struct guest_counts *counts;
	struct guest_context contexts[GUEST_CONNECTIONS];
	unsigned int logged;
	char log[512]; /* the last message */
};

struct guest *guest_start(void);
void guest_end(struct guest *guest);

/* Serve until there is nothing to do. */
void guest_serve(struct guest *guest);

/* Connect to a function ("writer.events" and the like); its version is agreed on. */
struct test_server guest_attach(struct guest *guest, const char *function);
/* Only connect. */
struct test_server guest_connect(struct guest *guest, const char *function);
void guest_detach(struct test_server *client);

/* Through the client. */
uint32_t guest_read32(struct test_server *client, uint32_t region, uint64_t offset);
void guest_write32(struct test_server *client, uint32_t region, uint64_t offset, uint32_t value);
/* The region's descriptor and what can be mapped of it; -1 if none. */
int guest_region_fd(struct test_server *client, uint32_t region, uint64_t *offset, uint64_t *bytes);

#endif
