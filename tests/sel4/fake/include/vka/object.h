/* SPDX-License-Identifier: BSD-2-Clause */
/* Fake of libsel4vka: allocation of capability slots and frames. */
#ifndef FAKE_VKA_OBJECT_H
#define FAKE_VKA_OBJECT_H

#include <sel4/sel4.h>

typedef struct vka {
	void *data;
} vka_t;

typedef struct cspacepath {
	seL4_CPtr capPtr;
} cspacepath_t;

typedef struct vka_object {
	seL4_CPtr cptr;
	seL4_Word size_bits;
} vka_object_t;

int vka_cspace_alloc_path(vka_t *vka, cspacepath_t *path);
void vka_cspace_make_path(vka_t *vka, seL4_CPtr slot, cspacepath_t *path);
void vka_cspace_free_path(vka_t *vka, cspacepath_t path);
int vka_alloc_frame(vka_t *vka, uint32_t size_bits, vka_object_t *result);
void vka_free_object(vka_t *vka, vka_object_t *object);

#endif
