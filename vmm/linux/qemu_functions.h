/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which functions a connection has in a VM that QEMU runs, by what names, and where they go. Pure
 * functions, in a library of their own, so that a program can check a system without serving it.
 */
#ifndef CROSSVM_VMM_LINUX_QEMU_FUNCTIONS_H
#define CROSSVM_VMM_LINUX_QEMU_FUNCTIONS_H

#include <crossvm/host.h>

extern const char *const doorbell_part_name;
/* "events", "memory" or "doorbell": the end of the name of the function's socket. */
const char *function_part_name(unsigned int number);

/* How many functions the connection has: those with the numbers 0, 1 and so on. */
unsigned int qemu_function_count(const struct crossvm_qemu_connection *connection);

#endif
