// SPDX-License-Identifier: BSD-2-Clause
/* Messages for a person, through the platform. */
#include <stdarg.h>
#include <stdio.h>

#include "vmm/vmm.h"

#define MESSAGE_BYTES 512

void crossvm_vmm_error_of_vm(vm_t *vm, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	crossvm_platform.error(vm, message);
}

void crossvm_vmm_error(const struct crossvm_vmm_connection *connection, const char *format, ...)
{
	char what[MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (connection->options.name[0] != '\0')
		crossvm_vmm_error_of_vm(connection->vm, "connection %u (\"%s\"): %s",
					connection->index, connection->options.name, what);
	else
		crossvm_vmm_error_of_vm(connection->vm, "connection %u: %s", connection->index,
					what);
}
