// SPDX-License-Identifier: BSD-2-Clause
/*
 * BARs in the guest's address space. A guest moves them as it likes: Linux on Arm assigns all of
 * them anew. So after every write that may have moved one, all are brought to where the guest wants
 * them: first those that must go are taken away, then those without a place are put in theirs.
 */
#include <errno.h>
#include <stdlib.h>

#include <sel4vm/guest_vm_util.h>
#include <vspace/page.h>
#include <vspace/vspace.h>

#include "vmm/sel4/internal.h"

#define PCI_COMMAND_MEMORY 0x2u

/*
 * How many small pages may lie behind a dataport. They can be moved to wherever other small pages have
 * been, which large ones cannot, but each takes a capability slot.
 */
#define SMALL_PAGES_BEHIND 2048u

static size_t frame_bits(const struct crossvm_vmm_connection *connection)
{
	return (size_t)__builtin_ctzll(connection->frame_bytes);
}

static vm_frame_t registers_frame(const struct sel4_connection *c, size_t offset)
{
	bool status = offset >= CROSSVM_SINGLE_STATUS_OFFSET;

	/*
	 * Writable where that does no harm: we never read the status page, and a store that traps
	 * could be one that libsel4vm cannot decode.
	 */
	return (vm_frame_t){
		.cptr = status ? c->status.guest : c->registers.guest,
		.rights = status ? seL4_AllRights : seL4_CanRead,
		.size_bits = SEL4_PAGE_BITS,
	};
}

static vm_frame_t filler_frame(const struct sel4_connection *c, size_t offset)
{
	const struct sel4_filler *filler = &c->fillers[0];

	while (offset - filler->offset >= filler->count << filler->bits)
		filler++;
	return (vm_frame_t){
		.cptr = filler->copies[(offset - filler->offset) >> filler->bits],
		.rights = seL4_AllRights,
		.size_bits = filler->bits,
	};
}

static vm_frame_t dataport_frame(const struct sel4_connection *c, size_t offset)
{
	const struct crossvm_vmm_connection *connection = c->connection;
	size_t frame = offset / connection->frame_bytes;

	if (frame >= connection->num_frames)
		return filler_frame(c, offset);
	return (vm_frame_t){
		.cptr = connection->frames[frame],
		.rights = connection->options.access & CROSSVM_ACCESS_WRITE ? seL4_AllRights
									    : seL4_CanRead,
		.size_bits = frame_bits(connection),
	};
}

static vm_frame_t frame_at(const struct sel4_bar *bar, size_t offset)
{
	return bar->number == 0 ? registers_frame(bar->owner, offset)
				: dataport_frame(bar->owner, offset);
}

/*
 * libsel4vm asks for one frame after the other. It may do so at the guest's first access only, so
 * the cookie is the BAR, which outlives the reservation.
 */
static vm_frame_t next_frame(uintptr_t address, void *cookie)
{
	struct sel4_bar *bar = cookie;
	vm_frame_t frame = frame_at(bar, address - bar->placed);

	frame.vaddr = address;
	return frame;
}

/* A guest-physical address, in a pointer because libsel4vspace wants it so. */
static void *address_in(const struct sel4_bar *bar, size_t offset)
{
	return (void *)(bar->placed + offset); // NOLINT(performance-no-int-to-ptr)
}

static bool is_mapped(const struct sel4_bar *bar, size_t offset)
{
	vspace_t *vspace = vm_get_vspace(bar->owner->connection->vm);

	return vspace_get_cap(vspace, address_in(bar, offset)) == frame_at(bar, offset).cptr;
}

/*
 * Unmap what a mapping that failed has left behind: libsel4vm takes all of it for unmapped, and to
 * unmap what is not there fails an assertion of libsel4utils.
 */
static void unmap_partial(const struct sel4_bar *bar, const struct sel4_part *part)
{
	vspace_t *vspace = vm_get_vspace(bar->owner->connection->vm);
	size_t end = part->offset + part->bytes;
	size_t offset = part->offset;

	while (offset < end && is_mapped(bar, offset)) {
		size_t bits = frame_at(bar, offset).size_bits;

		vspace_unmap_pages(vspace, address_in(bar, offset), 1, bits, VSPACE_PRESERVE);
		offset += (size_t)1 << bits;
	}
	/* The one that failed may be mapped and not booked. */
	if (offset < end)
		(void)seL4_ARCH_Page_Unmap(frame_at(bar, offset).cptr);
}

/*
 * Give a reservation back. libsel4vm would delete the capabilities that are mapped in it, which are
 * ours or the caller's: without an allocator it only unmaps them.
 */
static void release_part(const struct sel4_bar *bar, struct sel4_part *part)
{
	vm_t *vm = bar->owner->connection->vm;
	vka_t *vka = vm->vka;

	if (!part->reservation)
		return;
	/* Pages are mapped in order, so the last one says whether all are. */
	if (!is_mapped(bar, part->offset + part->bytes - CROSSVM_PAGE_BYTES))
		unmap_partial(bar, part);
	vm->vka = VSPACE_PRESERVE;
	vm_free_reserved_memory(vm, part->reservation);
	vm->vka = vka;
	part->reservation = NULL;
}

static void release(struct sel4_bar *bar)
{
	for (unsigned int i = 0; i < SEL4_PARTS; i++)
		release_part(bar, &bar->parts[i]);
	bar->placed = SEL4_NOT_PLACED;
}

static int place_part(struct sel4_bar *bar, struct sel4_part *part)
{
	vm_t *vm = bar->owner->connection->vm;

	if (part->bytes == 0)
		return 0;
	part->reservation = vm_reserve_memory_at(vm, bar->placed + part->offset, part->bytes,
						 sel4_bar_fault, bar);
	if (!part->reservation)
		return -ENOMEM;
	return vm_map_reservation(vm, part->reservation, next_frame, bar);
}

static void place(struct sel4_bar *bar, uintptr_t address)
{
	bar->placed = address;
	for (unsigned int i = 0; i < SEL4_PARTS; i++) {
		if (!place_part(bar, &bar->parts[i]))
			continue;
		release(bar);
		return;
	}
}

static bool decodes(const struct sel4_bar *bar)
{
	return crossvm_device_command(&bar->owner->state, CROSSVM_FUNCTION_EVENTS) &
	       PCI_COMMAND_MEMORY;
}

static bool in_window(const struct sel4_bar *bar, uint64_t address)
{
	return address >= sel4_arch.window_start && address <= sel4_arch.window_last &&
	       bar->bytes - 1 <= sel4_arch.window_last - address;
}

/* Where the guest wants a BAR; SEL4_NOT_PLACED if it wants it nowhere that can be had. */
static uintptr_t wanted(const struct sel4_bar *bar)
{
	uint64_t address = crossvm_device_bar_address(&bar->owner->state, CROSSVM_FUNCTION_EVENTS,
						      bar->number);

	return in_window(bar, address) ? (uintptr_t)address : SEL4_NOT_PLACED;
}

/* Whether a BAR stands where another wants to be. */
static bool is_in_the_way(const struct sel4_bar *bar, const struct sel4_bar *of)
{
	return bar->placed != SEL4_NOT_PLACED && bar->placed <= wanted(of) + of->bytes - 1 &&
	       wanted(of) <= bar->placed + bar->bytes - 1;
}

/* Take away what no longer belongs where it is. */
static void clear_places(struct sel4_vm *record)
{
	for (struct sel4_connection *c = record->connections; c; c = c->next)
		for (unsigned int i = 0; i < SEL4_BARS; i++)
			if (c->bars[i].placed != SEL4_NOT_PLACED && decodes(&c->bars[i]) &&
			    c->bars[i].placed != wanted(&c->bars[i]))
				release(&c->bars[i]);
}

/*
 * BARs that do not decode stay where they are, unless somebody else wants the place. Returns whether
 * it is free. libsel4vm would say so too, and report it each time that a guest tries.
 */
static bool make_room(struct sel4_vm *record, const struct sel4_bar *for_bar)
{
	bool is_free = true;

	for (struct sel4_connection *c = record->connections; c; c = c->next) {
		for (unsigned int i = 0; i < SEL4_BARS; i++) {
			struct sel4_bar *bar = &c->bars[i];

			if (!is_in_the_way(bar, for_bar))
				continue;
			if (decodes(bar))
				is_free = false;
			else
				release(bar);
		}
	}
	return is_free;
}

static void settle_one(struct sel4_vm *record, struct sel4_bar *bar)
{
	if (bar->bytes == 0 || bar->placed != SEL4_NOT_PLACED || !decodes(bar) ||
	    wanted(bar) == SEL4_NOT_PLACED)
		return;
	if (make_room(record, bar))
		place(bar, wanted(bar));
}

void sel4_bars_settle(struct sel4_vm *record)
{
	clear_places(record);
	for (struct sel4_connection *c = record->connections; c; c = c->next)
		for (unsigned int i = 0; i < SEL4_BARS; i++)
			settle_one(record, &c->bars[i]);
}

bool sel4_bars_are_placed(const struct sel4_connection *c)
{
	for (unsigned int i = 0; i < SEL4_BARS; i++)
		if (c->bars[i].bytes != 0 && c->bars[i].placed == SEL4_NOT_PLACED)
			return false;
	return true;
}

void sel4_bars_unplace(struct sel4_connection *c)
{
	for (unsigned int i = 0; i < SEL4_BARS; i++)
		if (c->bars[i].placed != SEL4_NOT_PLACED)
			release(&c->bars[i]);
}

static void free_filler(vm_t *vm, struct sel4_filler *filler)
{
	if (!filler->copies)
		return;
	while (filler->count > 0)
		sel4_frame_forget(vm, filler->copies[--filler->count]);
	vka_free_object(vm->vka, &filler->frame);
	free(filler->copies);
	filler->copies = NULL;
}

/* Leaves what it has made to free_filler(), also if it fails. */
static int make_filler(vm_t *vm, struct sel4_filler *filler, size_t bytes)
{
	size_t count = bytes >> filler->bits;

	if (count == 0)
		return 0;
	filler->copies = calloc(count, sizeof(*filler->copies));
	if (!filler->copies)
		return -ENOMEM;
	if (vka_alloc_frame(vm->vka, (uint32_t)filler->bits, &filler->frame)) {
		free(filler->copies);
		filler->copies = NULL;
		return -ENOMEM;
	}
	for (; filler->count < count; filler->count++) {
		int err = sel4_frame_copy(vm, filler->frame.cptr, &filler->copies[filler->count]);

		if (err)
			return err;
	}
	return 0;
}

static size_t round_up_to_power_of_two(size_t bytes)
{
	size_t power = CROSSVM_PAGE_BYTES;

	while (power < bytes)
		power <<= 1;
	return power;
}

/*
 * Where in the BAR frames of the dataport's size end and large ones begin. Where no more than
 * SMALL_PAGES_BEHIND are missing, or the dataport's frames are large, that is the BAR's end.
 *
 * This bounds the slots that a connection takes behind its dataport. If the frames are of the
 * dataport's size, they are fewer than the caller has brought, since less is missing than the dataport
 * has. If small pages go on to the next large frame only, they are fewer than a large frame has. Behind
 * them there are at most 511 large frames of 2 MiB, since a BAR has 2 GiB at most.
 */
static size_t first_large_frame(const struct crossvm_vmm_connection *connection, size_t bar_bytes)
{
	size_t dataport = (size_t)connection->options.dataport_bytes;
	size_t large = (size_t)1 << seL4_LargePageBits;

	if (frame_bits(connection) >= seL4_LargePageBits ||
	    (bar_bytes - dataport) >> SEL4_PAGE_BITS <= SMALL_PAGES_BEHIND)
		return bar_bytes;
	return (dataport + large - 1) & ~(large - 1);
}

static int create_dataport_bar(struct sel4_connection *c, size_t dataport)
{
	vm_t *vm = c->connection->vm;
	struct sel4_bar *bar = &c->bars[1];
	size_t large;
	int err;

	bar->bytes = round_up_to_power_of_two(dataport);
	large = first_large_frame(c->connection, bar->bytes);
	bar->parts[0] = (struct sel4_part){.bytes = large};
	bar->parts[1] = (struct sel4_part){.offset = large, .bytes = bar->bytes - large};
	c->fillers[0] = (struct sel4_filler){.offset = dataport, .bits = frame_bits(c->connection)};
	c->fillers[1] = (struct sel4_filler){.offset = large, .bits = seL4_LargePageBits};
	err = make_filler(vm, &c->fillers[0], large - dataport);
	if (!err)
		err = make_filler(vm, &c->fillers[1], bar->bytes - large);
	return err;
}

int sel4_bars_create(struct sel4_connection *c)
{
	size_t dataport = (size_t)c->connection->options.dataport_bytes;
	int err;

	for (unsigned int i = 0; i < SEL4_BARS; i++)
		c->bars[i] = (struct sel4_bar){
			.owner = c,
			.number = i,
			.placed = SEL4_NOT_PLACED,
		};
	c->bars[0].bytes = CROSSVM_SINGLE_STATUS_OFFSET + CROSSVM_PAGE_BYTES;
	c->bars[0].parts[0].bytes = c->bars[0].bytes;
	if (dataport == 0)
		return 0;
	err = create_dataport_bar(c, dataport);
	if (err)
		sel4_bars_destroy(c);
	return err;
}

void sel4_bars_destroy(struct sel4_connection *c)
{
	for (unsigned int i = 0; i < SEL4_PARTS; i++)
		free_filler(c->connection->vm, &c->fillers[i]);
}
