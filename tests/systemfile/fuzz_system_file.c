/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text gives either a system or a message, never both, never neither. */
#include <stdint.h>
#include <stdlib.h>

#include "systemfile/system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct crossvm_system *system = NULL;
	char *message = NULL;
	int error = crossvm_system_parse("fuzz.yaml", "/run/crossvm", (const char *)data, bytes,
					 &system, &message);

	if ((error == 0) != (system != NULL) || (error == 0) != (message == NULL))
		abort();
	crossvm_system_free(system);
	free(message);
	return 0;
}
