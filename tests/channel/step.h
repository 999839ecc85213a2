/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included before the channel's own sources, so that a test can end one side before any of its
 * stores, as a kill would.
 */
#ifndef CROSSVM_TESTS_CHANNEL_STEP_H
#define CROSSVM_TESTS_CHANNEL_STEP_H

void step(void);
#define CROSSVM_CHANNEL_STEP() step()

#endif
