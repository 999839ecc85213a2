/* SPDX-License-Identifier: BSD-2-Clause */
/* Sealed memory fds: what is shared with guests and components. */
#ifndef CROSSVM_SERVER_MEMORY_H
#define CROSSVM_SERVER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A memory fd of whole pages: all of it allocated now, nobody can change its size or its seals, and of
 * mode 0600, so that nobody else's read-only descriptor can be opened again to write.
 *
 * @return the descriptor, or -errno.
 */
int memory_create(const char *name, size_t bytes);

/*
 * The same for memory that only this process, and those cloned from it, will ever write.
 *
 * @memory: set to where it is mapped, to read and write.
 * @return a descriptor by which it can be read, or -errno.
 */
int memory_create_own(const char *name, size_t bytes, void **memory);

/* Another descriptor of the same memory, by which it cannot be written; or -errno. */
int memory_reopen_read_only(int fd);

/* Map it, shared. @return NULL with errno. */
void *memory_map(int fd, size_t offset, size_t bytes, bool writable);

#endif
