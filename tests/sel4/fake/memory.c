// SPDX-License-Identifier: BSD-2-Clause
/* Reservations, faults, and the guest's loads and stores. */
#include <stdlib.h>
#include <string.h>

#include <sel4vm/guest_vcpu_fault.h>
#include <utils/util.h>

#include "fake.h"

struct vm_memory_reservation {
	uintptr_t address;
	size_t bytes;
	memory_fault_callback_fn callback;
	void *callback_cookie;
	memory_map_iterator_fn iterator;
	void *iterator_cookie;
	size_t size_bits; /* of its frames; 0: it is not mapped */
	struct vm_memory_reservation *next;
};

void __real_free(void *memory);

static bool deferred;
static unsigned int faults;

void fake_defer_mappings(bool defer)
{
	deferred = defer;
}

static bool overlap(const struct vm_memory_reservation *r, uintptr_t address, size_t bytes)
{
	return r->address <= address + bytes - 1 && address <= r->address + r->bytes - 1;
}

vm_memory_reservation_t *vm_reserve_memory_at(vm_t *vm, uintptr_t addr, size_t size,
					      memory_fault_callback_fn fault_callback, void *cookie)
{
	struct vm_memory_reservation *r;

	for (r = vm->mem.reservations; r; r = r->next) {
		if (!overlap(r, addr, size))
			continue;
		ZF_LOGE("Failed to allocate vm reservation: Unable to create vspace reservation");
		return NULL;
	}
	if (!fault_callback || fake_allocation_fails())
		return NULL;
	r = malloc(sizeof(*r));
	*r = (struct vm_memory_reservation){
		.address = addr,
		.bytes = size,
		.callback = fault_callback,
		.callback_cookie = cookie,
		.next = vm->mem.reservations,
	};
	vm->mem.reservations = r;
	fake_usage.reservations++;
	return r;
}

/* The real one unmaps a mapped reservation frame by frame, with the VM's allocator. */
static void unmap_all(vm_t *vm, const struct vm_memory_reservation *r)
{
	for (size_t offset = 0; offset < r->bytes; offset += (size_t)1 << r->size_bits) {
		/* Guest addresses pass as pointers in libsel4vspace. */
		void *address = (void *)(r->address + offset); // NOLINT(performance-no-int-to-ptr)

		if (vm->vka || fake_mapping_at(&vm->mem.vm_vspace, r->address + offset))
			vspace_unmap_pages(&vm->mem.vm_vspace, address, 1, r->size_bits, vm->vka);
	}
}

int vm_free_reserved_memory(vm_t *vm, vm_memory_reservation_t *reservation)
{
	struct vm_memory_reservation **here = &vm->mem.reservations;

	while (*here != reservation)
		here = &(*here)->next;
	*here = reservation->next;
	if (reservation->size_bits)
		unmap_all(vm, reservation);
	if (fake_mapping_at(&vm->mem.vm_vspace, reservation->address))
		fake_die("a reservation is freed with pages mapped in it");
	__real_free(reservation);
	fake_usage.reservations--;
	return 0;
}

static int map_now(vm_t *vm, struct vm_memory_reservation *r)
{
	uintptr_t address = r->address;
	size_t size_bits = 0;

	while (address - r->address < r->bytes) {
		vm_frame_t frame = r->iterator(address, r->iterator_cookie);

		/* Newer versions of libsel4vm take no others. */
		if (size_bits != 0 && frame.size_bits != size_bits) {
			ZF_LOGE("Mixed page sizes within reservation not supported");
			return -1;
		}
		size_bits = frame.size_bits;
		if (frame.cptr == seL4_CapNull ||
		    !fake_map(&vm->mem.vm_vspace, frame.vaddr, frame.cptr, frame.rights,
			      frame.size_bits, true))
			return -1;
		address += (uintptr_t)1 << frame.size_bits;
	}
	r->size_bits = size_bits;
	return 0;
}

int vm_map_reservation(vm_t *vm, vm_memory_reservation_t *reservation,
		       memory_map_iterator_fn map_iterator, void *cookie)
{
	reservation->iterator = map_iterator;
	reservation->iterator_cookie = cookie;
	return deferred ? 0 : map_now(vm, reservation);
}

seL4_Word get_vcpu_fault_data(vm_vcpu_t *vcpu)
{
	if (!vcpu->fault.has_register)
		fake_die("the value of a store is taken from a register that it has not got");
	return vcpu->fault.data;
}

static struct vm_memory_reservation *reservation_at(vm_t *vm, uintptr_t address)
{
	struct vm_memory_reservation *r = vm->mem.reservations;

	while (r && !overlap(r, address, 1))
		r = r->next;
	return r;
}

static void trap(vm_t *vm, const struct fake_fault *fault)
{
	vm_vcpu_t *vcpu = vm->vcpus[0];
	struct vm_memory_reservation *r = reservation_at(vm, fault->address);

	faults++;
	if (!fault->decodable)
		fake_die("libsel4vm cannot decode a store");
	if (!r) {
		fake_die("the guest faults where nothing is reserved");
		return;
	}
	vcpu->fault = *fault;
	/* The other results need calls that we have no use for. */
	if (r->callback(vm, vcpu, fault->address, fault->bytes, r->callback_cookie) !=
		    FAULT_IGNORE ||
	    fault->read)
		fake_die("the guest does not go on behind an access that traps");
}

/* Where the guest's access goes, or NULL if it traps. */
static void *memory_for(vm_t *vm, const struct fake_fault *fault)
{
	unsigned int right = fault->read ? FAKE_RIGHT_READ : FAKE_RIGHT_WRITE;
	struct vm_memory_reservation *r = reservation_at(vm, fault->address);
	const struct fake_mapping *mapping;

	if (r && !r->size_bits && r->iterator && map_now(vm, r)) {
		fake_die("a reservation cannot be mapped when the guest needs it");
		return NULL;
	}
	mapping = fake_mapping_at(&vm->mem.vm_vspace, fault->address);
	if (!mapping || !(mapping->rights.bits & right))
		return NULL;
	return (char *)fake_frame_memory(mapping->cap) + (fault->address - mapping->address);
}

static uint64_t guest_access(vm_t *vm, struct fake_fault fault)
{
	void *memory = memory_for(vm, &fault);
	uint64_t value = 0;

	if (!memory) {
		trap(vm, &fault);
		return vm->vcpus[0]->fault.data;
	}
	if (fault.read)
		memcpy(&value, memory, fault.bytes);
	else
		memcpy(memory, &fault.data, fault.bytes);
	return value;
}

uint64_t fake_guest_load(vm_t *vm, uintptr_t address, size_t bytes)
{
	return guest_access(vm, (struct fake_fault){.address = address,
						    .bytes = bytes,
						    .read = true,
						    .has_register = true,
						    .decodable = true});
}

void fake_guest_store(vm_t *vm, uintptr_t address, uint64_t value, size_t bytes)
{
	guest_access(vm, (struct fake_fault){.address = address,
					     .bytes = bytes,
					     .has_register = true,
					     .decodable = true,
					     .data = value});
}

void fake_guest_store_pair(vm_t *vm, uintptr_t address, uint64_t value)
{
	guest_access(vm, (struct fake_fault){.address = address, .bytes = 8, .data = value});
}

void fake_guest_store_immediate(vm_t *vm, uintptr_t address, uint32_t value)
{
	guest_access(vm, (struct fake_fault){
				 .address = address, .bytes = 4, .decodable = true, .data = value});
}

unsigned int fake_faults(void)
{
	unsigned int before = faults;

	faults = 0;
	return before;
}
