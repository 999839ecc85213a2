/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program of ours that has a holder (server/holder.h) uses of vmm/linux, beside <crossvm/host.h>,
 * which is for programs of other people.
 */
#ifndef CROSSVM_VMM_LINUX_LINUX_H
#define CROSSVM_VMM_LINUX_LINUX_H

#include <crossvm/host.h>

#include "server/server.h"

/* A host that is served by the caller's server, which outlives it. @return 0 or -ENOMEM. */
int linux_host_create(struct server *server, struct crossvm_host **host);

/* A worker begins, between server_renew() and server_sort_out(). */
void linux_host_resume(struct crossvm_host *host);
/* It ends: part from every client. */
void linux_host_take_leave(struct crossvm_host *host);
/* In the holder, once no worker is left: remove the socket files. Uses private memory only. */
void linux_host_unlink(const struct crossvm_host *host);

/* The VM's number, as in CLOSING owners: see linux_vm_owner(). */
uint64_t linux_vm_owner(const vm_t *vm);
/* Whose it is, for a message; false: of no VM of this host. Uses private memory only. */
bool linux_name_owner(const struct crossvm_host *host, uint64_t owner, char *text, size_t bytes);
bool linux_name_wire(const struct crossvm_host *host, uint64_t offset, char *text, size_t bytes);

#endif
