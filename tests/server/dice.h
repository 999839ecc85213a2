/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that look random and are the same in each run: xorshift64. */
#ifndef CROSSVM_TESTS_SERVER_DICE_H
#define CROSSVM_TESTS_SERVER_DICE_H

#include <stdint.h>

/* 0 to sides - 1; dice begins as any number but 0. */
static inline uint32_t dice_roll(uint64_t *dice, uint32_t sides)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return (uint32_t)(*dice >> 32) % sides;
}

#endif
