// SPDX-License-Identifier: BSD-2-Clause
/* Capabilities, frames, address spaces, the log, and allocations that fail. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vka/capops.h>
#include <utils/util.h>
#include <vspace/page.h>

#include "fake.h"

#define SLOTS 65536u

struct frame {
	size_t size_bits;
	void *memory;
	unsigned int caps;
};

static struct slot {
	struct frame *frame;
	bool allocated;
	bool mapped;
	vspace_t *vspace; /* where, if mapped */
} slots[SLOTS];

struct fake_usage fake_usage;

static const char *death;
static char log_text[8192];
static unsigned int log_lines;
static int fail_after = -1;
static unsigned int allocations;

void fake_die(const char *why)
{
	if (!death)
		death = why;
}

const char *fake_death(void)
{
	const char *why = death;

	death = NULL;
	return why;
}

void fake_log(const char *format, ...)
{
	size_t used = strlen(log_text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(log_text + used, sizeof(log_text) - used, format, arguments);
	va_end(arguments);
	used = strlen(log_text);
	snprintf(log_text + used, sizeof(log_text) - used, "\n");
	log_lines++;
}

const char *fake_log_take(void)
{
	static char taken[sizeof(log_text)];

	memcpy(taken, log_text, sizeof(taken));
	log_text[0] = '\0';
	log_lines = 0;
	return taken;
}

unsigned int fake_log_lines(void)
{
	return log_lines;
}

unsigned int fake_fail_allocation(int after)
{
	unsigned int before = allocations;

	allocations = 0;
	fail_after = after;
	return before;
}

bool fake_allocation_fails(void)
{
	allocations++;
	if (fail_after < 0)
		return false;
	return fail_after-- == 0;
}

/* The heap: the linker puts these in calloc's and free's place. */
void *__real_calloc(size_t members, size_t bytes);
void *__wrap_calloc(size_t members, size_t bytes);
void __real_free(void *memory);
void __wrap_free(void *memory);

void *__wrap_calloc(size_t members, size_t bytes)
{
	void *memory = fake_allocation_fails() ? NULL : __real_calloc(members, bytes);

	fake_usage.blocks += memory != NULL;
	return memory;
}

void __wrap_free(void *memory)
{
	fake_usage.blocks -= memory != NULL;
	__real_free(memory);
}

int vka_cspace_alloc_path(vka_t *vka, cspacepath_t *path)
{
	(void)vka;
	if (fake_allocation_fails())
		return -1;
	for (seL4_CPtr i = 1; i < SLOTS; i++) {
		if (slots[i].allocated)
			continue;
		slots[i].allocated = true;
		fake_usage.slots++;
		path->capPtr = i;
		return 0;
	}
	return -1;
}

void vka_cspace_make_path(vka_t *vka, seL4_CPtr slot, cspacepath_t *path)
{
	(void)vka;
	path->capPtr = slot;
}

void vka_cspace_free_path(vka_t *vka, cspacepath_t path)
{
	struct slot *slot = &slots[path.capPtr];

	(void)vka;
	if (path.capPtr == 0 || !slot->allocated)
		fake_die("a capability slot is freed twice");
	if (slot->frame)
		fake_die("a capability slot is freed with a capability in it");
	fake_usage.slots -= slot->allocated;
	slot->allocated = false;
}

/* Large ones take no memory before it is touched: tests make more of them than a machine has. */
static void *frame_memory_make(size_t size_bits)
{
	size_t bytes = (size_t)1 << size_bits;
	void *memory;

	if (size_bits > seL4_PageBits) {
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		return memory == MAP_FAILED ? NULL : memory;
	}
	memory = aligned_alloc(bytes, bytes);
	return memory ? memset(memory, 0, bytes) : NULL;
}

static void frame_memory_free(const struct frame *frame)
{
	if (frame->size_bits > seL4_PageBits)
		munmap(frame->memory, (size_t)1 << frame->size_bits);
	else
		__real_free(frame->memory);
}

static struct frame *frame_make(size_t size_bits)
{
	struct frame *frame = malloc(sizeof(*frame));

	*frame = (struct frame){
		.size_bits = size_bits,
		.memory = frame_memory_make(size_bits),
	};
	if (!frame->memory)
		fake_die("the test's own machine has no memory for a frame");
	fake_usage.frames++;
	return frame;
}

static void slot_fill(seL4_CPtr slot, struct frame *frame)
{
	slots[slot].frame = frame;
	slots[slot].mapped = false;
	frame->caps++;
}

int vka_cnode_copy(const cspacepath_t *dest, const cspacepath_t *src, seL4_CapRights_t rights)
{
	(void)rights;
	if (fake_allocation_fails() || !slots[src->capPtr].frame)
		return -1;
	slot_fill(dest->capPtr, slots[src->capPtr].frame);
	return 0;
}

int vka_cnode_delete(const cspacepath_t *path)
{
	struct slot *slot = &slots[path->capPtr];
	struct frame *frame = slot->frame;

	slot->frame = NULL;
	if (!frame || --frame->caps > 0)
		return 0;
	fake_usage.frames--;
	frame_memory_free(frame);
	__real_free(frame);
	return 0;
}

int vka_alloc_frame(vka_t *vka, uint32_t size_bits, vka_object_t *result)
{
	cspacepath_t path;

	if (vka_cspace_alloc_path(vka, &path))
		return -1;
	if (fake_allocation_fails()) {
		vka_cspace_free_path(vka, path);
		return -1;
	}
	slot_fill(path.capPtr, frame_make(size_bits));
	*result = (vka_object_t){.cptr = path.capPtr, .size_bits = size_bits};
	return 0;
}

void vka_free_object(vka_t *vka, vka_object_t *object)
{
	cspacepath_t path = {.capPtr = object->cptr};

	vka_cnode_delete(&path);
	vka_cspace_free_path(vka, path);
}

seL4_CPtr fake_frame_make(size_t size_bits)
{
	vka_object_t object;

	return vka_alloc_frame(NULL, (uint32_t)size_bits, &object) ? 0 : object.cptr;
}

void fake_frame_free(seL4_CPtr frame)
{
	vka_object_t object = {.cptr = frame};

	vka_free_object(NULL, &object);
}

void *fake_frame_memory(seL4_CPtr frame)
{
	return slots[frame].frame ? slots[frame].frame->memory : NULL;
}

const struct fake_mapping *fake_mapping_at(const vspace_t *vspace, uintptr_t address)
{
	const struct fake_mapping *mapping = vspace->mappings;

	while (mapping && address - mapping->address >= (uintptr_t)1 << mapping->size_bits)
		mapping = mapping->next;
	return mapping;
}

/* The hardware's page tables come first, then libsel4utils' books: either can be out of memory. */
bool fake_map(vspace_t *vspace, uintptr_t address, seL4_CPtr cap, seL4_CapRights_t rights,
	      size_t size_bits, bool cacheable)
{
	struct slot *slot = &slots[cap];
	struct fake_mapping *mapping;

	if (!slot->frame || slot->frame->size_bits != size_bits || slot->mapped ||
	    address % ((uintptr_t)1 << size_bits) || fake_allocation_fails())
		return false;
	mapping = malloc(sizeof(*mapping));
	*mapping = (struct fake_mapping){
		.address = address,
		.size_bits = size_bits,
		.cap = cap,
		.rights = rights,
		.cacheable = cacheable,
		.next = vspace->mappings,
	};
	vspace->mappings = mapping;
	slot->mapped = true;
	slot->vspace = vspace;
	fake_usage.mappings++;
	mapping->booked = !fake_allocation_fails();
	return mapping->booked;
}

static void unmap(struct fake_mapping **here)
{
	struct fake_mapping *mapping = *here;

	slots[mapping->cap].mapped = false;
	*here = mapping->next;
	__real_free(mapping);
	fake_usage.mappings--;
}

int seL4_ARCH_Page_Unmap(seL4_CPtr cap)
{
	struct fake_mapping **here;

	if (!slots[cap].mapped)
		return 0;
	for (here = &slots[cap].vspace->mappings; (*here)->cap != cap;)
		here = &(*here)->next;
	unmap(here);
	return 0;
}

seL4_CPtr vspace_get_cap(vspace_t *vspace, void *vaddr)
{
	const struct fake_mapping *mapping = fake_mapping_at(vspace, (uintptr_t)vaddr);

	return mapping && mapping->booked ? mapping->cap : seL4_CapNull;
}

void *vspace_map_pages(vspace_t *vspace, seL4_CPtr caps[], uintptr_t cookies[],
		       seL4_CapRights_t rights, size_t num_pages, size_t size_bits, int cacheable)
{
	void *memory = fake_frame_memory(caps[0]);

	(void)cookies;
	if (num_pages != 1 || !memory)
		return NULL;
	/* The VMM's addresses are this process's. */
	if (fake_map(vspace, (uintptr_t)memory, caps[0], rights, size_bits, cacheable))
		return memory;
	seL4_ARCH_Page_Unmap(caps[0]);
	return NULL;
}

/*
 * The real one asserts that afterwards its books say something else than before. With an allocator,
 * it deletes the capabilities that were mapped.
 */
void vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits,
			vka_t *vka)
{
	for (size_t i = 0; i < num_pages; i++) {
		uintptr_t address = (uintptr_t)vaddr + (i << size_bits);
		struct fake_mapping **here = &vspace->mappings;
		cspacepath_t path;

		while (*here && address - (*here)->address >= (uintptr_t)1 << (*here)->size_bits)
			here = &(*here)->next;
		if (!*here || !(*here)->booked) {
			fake_die("libsel4utils asserts: a page is unmapped that is not mapped");
			return;
		}
		path.capPtr = (*here)->cap;
		unmap(here);
		if (vka) {
			vka_cnode_delete(&path);
			vka_cspace_free_path(vka, path);
		}
	}
}
