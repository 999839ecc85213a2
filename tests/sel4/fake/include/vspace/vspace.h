/* SPDX-License-Identifier: BSD-2-Clause */
/* Fake of libsel4vspace: an address space is a list of mapped frames. */
#ifndef FAKE_VSPACE_H
#define FAKE_VSPACE_H

#include <vka/object.h>

struct fake_mapping;

typedef struct vspace {
	struct fake_mapping *mappings;
} vspace_t;

#define VSPACE_PRESERVE ((vka_t *)0)

void *vspace_map_pages(vspace_t *vspace, seL4_CPtr caps[], uintptr_t cookies[],
		       seL4_CapRights_t rights, size_t num_pages, size_t size_bits, int cacheable);
void vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits,
			vka_t *vka);
seL4_CPtr vspace_get_cap(vspace_t *vspace, void *vaddr);

#endif
