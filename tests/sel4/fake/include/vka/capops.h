/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_VKA_CAPOPS_H
#define FAKE_VKA_CAPOPS_H

#include <vka/object.h>

int vka_cnode_copy(const cspacepath_t *dest, const cspacepath_t *src, seL4_CapRights_t rights);
int vka_cnode_delete(const cspacepath_t *path);

#endif
