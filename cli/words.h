/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words by which the command calls what the ABI has numbers for; the same in tables and JSON.
 */
#ifndef CROSSVM_CLI_WORDS_H
#define CROSSVM_CLI_WORDS_H

#include <stdint.h>

/* CROSSVM_ACCESS_*: "read-write", "read-only", "none". */
const char *cli_access_word(uint32_t access);

/* CROSSVM_PEER_*: "unknown", "absent", "present", "open". */
const char *cli_state_word(uint32_t state);

#endif
