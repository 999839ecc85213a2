// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames. A capability to a frame can be mapped once, so the guest's mappings get copies; the
 * originals stay with whom they belong to.
 */
#include <errno.h>

#include <sel4vm/guest_vm_util.h>
#include <vka/capops.h>
#include <vspace/vspace.h>

#include "vmm/sel4/internal.h"

int sel4_frame_copy(vm_t *vm, seL4_CPtr frame, seL4_CPtr *copy)
{
	cspacepath_t from;
	cspacepath_t to;

	if (vka_cspace_alloc_path(vm->vka, &to))
		return -ENOMEM;
	vka_cspace_make_path(vm->vka, frame, &from);
	if (vka_cnode_copy(&to, &from, seL4_AllRights)) {
		vka_cspace_free_path(vm->vka, to);
		return -ENOMEM;
	}
	*copy = to.capPtr;
	return 0;
}

void sel4_frame_forget(vm_t *vm, seL4_CPtr copy)
{
	cspacepath_t path;

	vka_cspace_make_path(vm->vka, copy, &path);
	vka_cnode_delete(&path);
	vka_cspace_free_path(vm->vka, path);
}

int sel4_page_make(vm_t *vm, struct sel4_page *page)
{
	int err;

	if (vka_alloc_frame(vm->vka, SEL4_PAGE_BITS, &page->frame))
		return -ENOMEM;
	/*
	 * Cached, as libsel4vm maps it for the guest, and as guests' drivers do. Arm promises nothing
	 * where these differ.
	 */
	page->memory = vspace_map_pages(vm_get_vmm_vspace(vm), &page->frame.cptr, NULL,
					seL4_AllRights, 1, SEL4_PAGE_BITS, true);
	if (!page->memory) {
		err = -ENOMEM;
		goto free_frame;
	}
	err = sel4_frame_copy(vm, page->frame.cptr, &page->guest);
	if (err)
		goto unmap;
	return 0;

unmap:
	vspace_unmap_pages(vm_get_vmm_vspace(vm), page->memory, 1, SEL4_PAGE_BITS, VSPACE_PRESERVE);
	page->memory = NULL;
free_frame:
	vka_free_object(vm->vka, &page->frame);
	return err;
}

void sel4_page_free(vm_t *vm, struct sel4_page *page)
{
	if (!page->memory)
		return;
	sel4_frame_forget(vm, page->guest);
	vspace_unmap_pages(vm_get_vmm_vspace(vm), page->memory, 1, SEL4_PAGE_BITS, VSPACE_PRESERVE);
	vka_free_object(vm->vka, &page->frame);
	page->memory = NULL;
}
