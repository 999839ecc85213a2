/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the keeper's side of an agent calls, replaced by a record of the calls. One VM with one end of
 * a socket pair; the test is the guest at the other.
 */
#ifndef CROSSVM_TESTS_LAB_KEEPER_STUB_H
#define CROSSVM_TESTS_LAB_KEEPER_STUB_H

#include "lab/keeper.h"

struct record {
	size_t output_bytes; /* sent to clients */
	size_t credits;
	unsigned int exits;
	uint32_t exit_status;
	unsigned int failures;
	unsigned int ready;
};

struct rig {
	struct lab_keeper keeper;
	struct crossvm_system_vm config;
	struct lab_vm vm;
	struct lab_client client;
	struct record record; /* of what happened to client */
	int guest;
};

void rig_init(struct rig *rig);
void rig_destroy(struct rig *rig);
/* Let the keeper's side do all that can be done now. */
void rig_run(struct rig *rig);
/* As the guest: write bytes, a hello, a frame. */
void rig_write(struct rig *rig, const void *bytes, size_t length);
void rig_hello(struct rig *rig);
void rig_frame(struct rig *rig, enum lab_frame_type type, enum lab_stream stream, uint32_t session,
	       const void *payload, size_t length);
/* Open a session for the client. @return its number. */
uint32_t rig_open(struct rig *rig);

#endif
