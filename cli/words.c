/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/words.h"

#include <crossvm/abi.h>

const char *cli_access_word(uint32_t access)
{
	if (access & CROSSVM_ACCESS_WRITE)
		return "read-write";
	return access & CROSSVM_ACCESS_READ ? "read-only" : "none";
}

const char *cli_state_word(uint32_t state)
{
	switch (state) {
	case CROSSVM_PEER_ABSENT:
		return "absent";
	case CROSSVM_PEER_PRESENT:
		return "present";
	case CROSSVM_PEER_OPEN:
		return "open";
	default:
		return "unknown";
	}
}
