/* SPDX-License-Identifier: BSD-2-Clause */
/* Fake of libsel4: capabilities. */
#ifndef FAKE_SEL4_H
#define FAKE_SEL4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned long seL4_Word;
typedef seL4_Word seL4_CPtr;

typedef struct seL4_CapRights {
	unsigned int bits;
} seL4_CapRights_t;

#define FAKE_RIGHT_WRITE 1u
#define FAKE_RIGHT_READ  2u

#define seL4_AllRights     ((seL4_CapRights_t){FAKE_RIGHT_READ | FAKE_RIGHT_WRITE})
#define seL4_CanRead       ((seL4_CapRights_t){FAKE_RIGHT_READ})
#define seL4_NoRights      ((seL4_CapRights_t){0})
#define seL4_CapNull       0ul
#define seL4_PageBits      12
#define seL4_LargePageBits 21

#endif
