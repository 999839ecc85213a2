/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a status page, which the host may write at any time: every field is loaded once and
 * checked before use.
 */
#ifndef CROSSVM_LIB_STATUS_H
#define CROSSVM_LIB_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/abi.h>
#include <crossvm/connection.h>

/*
 * Check a status page and take what is fixed in it into info, but for CROSSVM_FEATURE_DOORBELL, which
 * who uses a doorbell adds.
 *
 * @name: what the connection must be called.
 * @return 0 or -EPROTO with a sentence.
 */
int crossvm_status_read(const void *page, const char *name, struct crossvm_connection_info *info);

/* Acquires what the host published before it stored the total. */
uint64_t crossvm_status_total(const void *page);
uint32_t crossvm_status_generation(const void *page);
/* Bit n: member n takes events from its doorbell. */
uint64_t crossvm_status_listeners(const void *page);

void crossvm_status_peer(const void *page, uint32_t member_id, struct crossvm_peer *peer);

/* Whether a dataport can have that size. */
bool crossvm_dataport_bytes_valid(uint64_t bytes);

/* Force a NUL and replace what could confuse a terminal. */
void crossvm_name_clean(char name[CROSSVM_NAME_BYTES]);

#endif
