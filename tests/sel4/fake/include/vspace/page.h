/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_VSPACE_PAGE_H
#define FAKE_VSPACE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <sel4/sel4.h>

static inline bool sel4_valid_size_bits(size_t size_bits)
{
	return size_bits == 12 || size_bits == 21 || size_bits == 30;
}

int seL4_ARCH_Page_Unmap(seL4_CPtr cap);

#endif
