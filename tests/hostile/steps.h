/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts the instructions of a new worker, by having it take one at a time. */
#ifndef TESTS_HOSTILE_STEPS_H
#define TESTS_HOSTILE_STEPS_H

#include "hostile.h"

/*
 * Kill the worker while a VM waits for an answer. @return how many instructions the next worker takes
 * until the VM has it.
 */
uint64_t steps_before_answer(const struct daemon *daemon, const struct vm *vm);

#endif
