/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/linux/qemu_functions.h"

#include <errno.h>

#include <crossvm/abi.h>

const char *const doorbell_part_name = "doorbell";

const char *function_part_name(unsigned int number)
{
	if (number == CROSSVM_DOORBELL_FUNCTION)
		return doorbell_part_name;
	return number == 0 ? "events" : "memory";
}

unsigned int qemu_function_count(const struct crossvm_qemu_connection *connection)
{
	if (connection->single_layout)
		return 1;
	return connection->doorbell ? CROSSVM_DOORBELL_FUNCTION + 1 : CROSSVM_DOORBELL_FUNCTION;
}

int crossvm_qemu_place(const struct crossvm_qemu_connection *connection, unsigned int *next)
{
	const unsigned int count = qemu_function_count(connection);
	const unsigned int used = *next % CROSSVM_QEMU_SLOT_FUNCTIONS;
	unsigned int place = *next;

	/* A guest finds a connection's functions by their slot, so they must share it. */
	if (used + count > CROSSVM_QEMU_SLOT_FUNCTIONS)
		place += CROSSVM_QEMU_SLOT_FUNCTIONS - used;
	if (place / CROSSVM_QEMU_SLOT_FUNCTIONS >= CROSSVM_QEMU_SLOTS)
		return -ENOSPC;
	*next = place + count;
	return (int)place;
}
