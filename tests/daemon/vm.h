/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM as the daemon sees one: what QEMU says over vfio-user for a guest with our driver. */
#ifndef TESTS_DAEMON_VM_H
#define TESTS_DAEMON_VM_H

#include <crossvm/abi.h>

#include "support.h"

/* A VM's attachment to one connection, in the split layout. */
struct vm {
	int events; /* socket of the events function */
	int memory;
	int interrupt; /* eventfd, as QEMU gives to KVM */
	const struct crossvm_status_page *page;
	uint16_t next_id;
};

/* Connect to a socket of the daemon by its file name. */
int vm_connect(const struct daemon *daemon, const char *name);
/* Whether the daemon talks to this process at a socket of that name, and does not part at once. */
bool vm_is_welcome(const struct daemon *daemon, const char *name);
/* Attach to both functions, map the status page, set the MSI's eventfd. */
struct vm vm_attach(const struct daemon *daemon, const char *name, const char *connection);
void vm_detach(struct vm *vm);

/* The guest stores to a register; posted, as QEMU does, or with an answer. */
void vm_write_register(struct vm *vm, uint32_t offset, uint32_t value, bool posted);
uint32_t vm_read_register(struct vm *vm, uint32_t offset);
/* Wait until the status page says so many events. */
void vm_wait_total(const struct vm *vm, uint64_t total);
/* Wait until the status page says so of a peer; changes must interrupt. */
void vm_wait_peer(const struct vm *vm, uint32_t member, uint32_t state, uint32_t incarnation);

#endif
