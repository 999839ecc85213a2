// SPDX-License-Identifier: GPL-2.0-only
/*
 * What processes map of a connection: registers, dataport, status page and the doorbell's page, all
 * of them cached, for behind each stands memory of the host, or a trap.
 *
 * Pages are mapped when they are first touched, and not at mmap() time: only so is a device that is
 * unplugged meanwhile certain to take all of its mappings along. Afterwards its addresses may
 * belong to another connection.
 */
#include <linux/fs.h>
#include <linux/mm.h>

#include "uio_crossvm.h"

/* One fault maps as much as one page table holds: bounded work, and few faults. */
#define FAULT_BYTES PMD_SIZE

#ifdef CONFIG_X86
/*
 * vmf_insert_pfn() asks the table of memory types, which says 'uncached' for all of the window that
 * firmware leaves to PCI. On hardware that honours it (AMD's nested paging) shared memory would be
 * a hundred times slower. So the page table is written here, as i915 does.
 */
struct insertion {
	struct vm_area_struct *vma;
	unsigned long pfn;
};

static int insert_page(pte_t *pte, unsigned long address, void *data)
{
	struct insertion *insertion = data;
	struct vm_area_struct *vma = insertion->vma;

	/* Another thread's fault may have been first. */
	if (pte_none(ptep_get(pte)))
		set_pte_at(vma->vm_mm, address, pte,
			   pte_mkspecial(pfn_pte(insertion->pfn, vma->vm_page_prot)));
	insertion->pfn++;
	return 0;
}

static vm_fault_t insert_pages(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			       unsigned long pfn)
{
	struct insertion insertion = {.vma = vma, .pfn = pfn};

	if (apply_to_page_range(vma->vm_mm, start, end - start, insert_page, &insertion))
		return VM_FAULT_OOM;
	return VM_FAULT_NOPAGE;
}
#else
static vm_fault_t insert_pages(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			       unsigned long pfn)
{
	unsigned long address;

	for (address = start; address < end; address += PAGE_SIZE) {
		vm_fault_t fault = vmf_insert_pfn(vma, address, pfn++);

		if (fault != VM_FAULT_NOPAGE)
			return fault;
	}
	return VM_FAULT_NOPAGE;
}
#endif

static vm_fault_t fault_locked(struct crossvm_connection *conn, struct vm_fault *vmf,
			       enum crossvm_map map)
{
	struct vm_area_struct *vma = vmf->vma;
	int index = conn->map_index[map];
	struct uio_mem *mem = &conn->info.mem[index];
	unsigned long address = vmf->address & PAGE_MASK;
	/* The pages of a ring are in two places. */
	unsigned long bytes = map == CROSSVM_MAP_RING ? PAGE_SIZE : FAULT_BYTES;
	unsigned long base = address & ~(bytes - 1);
	unsigned long start = max(base, vma->vm_start);
	unsigned long end = min(base + bytes, vma->vm_end);
	/* UIO's offset into the file says which map, and a mapping begins where the map does. */
	unsigned long page = vmf->pgoff - index - ((address - start) >> PAGE_SHIFT);

	if (page + ((end - start) >> PAGE_SHIFT) > mem->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	if (map == CROSSVM_MAP_RING)
		return insert_pages(vma, start, end, conn->ring_start[page] >> PAGE_SHIFT);
	return insert_pages(vma, start, end, (mem->addr >> PAGE_SHIFT) + page);
}

/* UIO's own lock: while it is held and info is there, so are the connection and its memory. */
static vm_fault_t fault(struct vm_fault *vmf, enum crossvm_map map)
{
	struct uio_device *idev = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mutex_lock(&idev->info_lock);
	if (idev->info)
		ret = fault_locked(crossvm_connection_of(idev->info), vmf, map);
	mutex_unlock(&idev->info_lock);
	return ret;
}

static vm_fault_t fault_registers(struct vm_fault *vmf)
{
	return fault(vmf, CROSSVM_MAP_REGISTERS);
}

static vm_fault_t fault_dataport(struct vm_fault *vmf)
{
	return fault(vmf, CROSSVM_MAP_DATAPORT);
}

static vm_fault_t fault_status(struct vm_fault *vmf)
{
	return fault(vmf, CROSSVM_MAP_STATUS);
}

static vm_fault_t fault_doorbell(struct vm_fault *vmf)
{
	return fault(vmf, CROSSVM_MAP_DOORBELL);
}

static vm_fault_t fault_ring(struct vm_fault *vmf)
{
	return fault(vmf, CROSSVM_MAP_RING);
}

/* A mapping that is split says no longer by its offset which map it is of; its operations do. */
#ifdef CONFIG_HAVE_IOREMAP_PROT
#define MAP_OPS(function)                                                          \
	{                                                                          \
		.fault = (function), .access = generic_access_phys /* debuggers */ \
	}
#else
#define MAP_OPS(function)           \
	{                           \
		.fault = (function) \
	}
#endif
static const struct vm_operations_struct map_ops[CROSSVM_MAP_COUNT] = {
	[CROSSVM_MAP_REGISTERS] = MAP_OPS(fault_registers),
	[CROSSVM_MAP_DATAPORT] = MAP_OPS(fault_dataport),
	[CROSSVM_MAP_STATUS] = MAP_OPS(fault_status),
	[CROSSVM_MAP_DOORBELL] = MAP_OPS(fault_doorbell),
	[CROSSVM_MAP_RING] = MAP_OPS(fault_ring),
};

static bool is_writable(struct crossvm_connection *conn, enum crossvm_map map)
{
	switch (map) {
	case CROSSVM_MAP_REGISTERS:
	case CROSSVM_MAP_RING:
		return true;
	case CROSSVM_MAP_DATAPORT:
		return conn->access & CROSSVM_ACCESS_WRITE;
	default:
		return false;
	}
}

/*
 * Which map index stands for, or -EACCES: a write that the host does not permit would stop this VM,
 * and one to a private copy would reach nobody.
 */
static int admit(struct crossvm_connection *conn, unsigned long index, bool write, bool shared,
		 bool *may_write)
{
	enum crossvm_map map = CROSSVM_MAP_REGISTERS;

	while (conn->map_index[map] != (int)index) {
		if (++map == CROSSVM_MAP_COUNT)
			return -EINVAL;
	}
	*may_write = shared && is_writable(conn, map);
	if (write && !*may_write)
		return -EACCES;
	/* Who maps these is no program of the first interface: see connection.c. */
	if (map == CROSSVM_MAP_STATUS)
		WRITE_ONCE(conn->wake_for_peers, true);
	if (map == CROSSVM_MAP_DOORBELL)
		crossvm_connection_listen(conn);
	return map;
}

#ifdef CROSSVM_HAS_MMAP_PREPARE
static int prepare_mmap(struct uio_info *info, struct vm_area_desc *desc)
{
	bool may_write;
	int map;

	map = admit(crossvm_connection_of(info), desc->pgoff, vma_desc_test(desc, VMA_WRITE_BIT),
		    vma_desc_test(desc, VMA_SHARED_BIT), &may_write);
	if (map < 0)
		return map;
	if (!may_write)
		vma_desc_clear_flags(desc, VMA_MAYWRITE_BIT);
	vma_desc_set_flags(desc, VMA_IO_BIT, VMA_PFNMAP_BIT, VMA_DONTEXPAND_BIT, VMA_DONTDUMP_BIT);
	desc->page_prot = pgprot_decrypted(desc->page_prot);
	desc->vm_ops = &map_ops[map];
	desc->private_data = info->uio_dev;
	/* The device file is there a moment before uio_dev is set. */
	return desc->private_data ? 0 : -EAGAIN;
}
#else
#ifndef CROSSVM_HAS_VM_FLAGS_MOD
static void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

static int mmap_file(struct uio_info *info, struct vm_area_struct *vma)
{
	bool may_write;
	int map;

	map = admit(crossvm_connection_of(info), vma->vm_pgoff, vma->vm_flags & VM_WRITE,
		    vma->vm_flags & VM_SHARED, &may_write);
	if (map < 0)
		return map;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP,
		     may_write ? 0 : VM_MAYWRITE);
	vma->vm_page_prot = pgprot_decrypted(vma->vm_page_prot);
	vma->vm_ops = &map_ops[map]; /* they rely on UIO's vm_private_data */
	return 0;
}
#endif

void crossvm_mapping_setup(struct crossvm_connection *conn)
{
	static const char *const names[] = {
		[CROSSVM_MAP_REGISTERS] = "registers", [CROSSVM_MAP_DATAPORT] = "dataport",
		[CROSSVM_MAP_STATUS] = "status",       [CROSSVM_MAP_DOORBELL] = "doorbell",
		[CROSSVM_MAP_RING] = "ring",
	};
	const struct {
		resource_size_t start;
		u64 bytes;
	} places[] = {
		[CROSSVM_MAP_REGISTERS] = {pci_resource_start(conn->pdev, CROSSVM_BAR_REGISTERS),
					   CROSSVM_PAGE_BYTES},
		[CROSSVM_MAP_DATAPORT] = {conn->dataport_start, conn->dataport_bytes},
		[CROSSVM_MAP_STATUS] = {conn->status_start, CROSSVM_PAGE_BYTES},
		[CROSSVM_MAP_DOORBELL] = {conn->doorbell_start, CROSSVM_PAGE_BYTES},
		[CROSSVM_MAP_RING] = {conn->ring_start[0], CROSSVM_RING_PAGES * CROSSVM_PAGE_BYTES},
	};
	struct uio_info *info = &conn->info;
	int map, index = 0;

	BUILD_BUG_ON(CROSSVM_MAP_COUNT > MAX_UIO_MAPS);
#ifdef CROSSVM_HAS_MMAP_PREPARE
	info->mmap_prepare = prepare_mmap;
#else
	info->mmap = mmap_file;
#endif
	/* UIO takes the first map without a size for the end of all maps: leave no gap. */
	for (map = 0; map < CROSSVM_MAP_COUNT; map++) {
		struct uio_mem *mem = &info->mem[index];

		conn->map_index[map] = -1;
		if (!places[map].start)
			continue;
		conn->map_index[map] = index++;
		mem->name = names[map];
		mem->addr = places[map].start;
		mem->size = PAGE_ALIGN(places[map].bytes);
		mem->memtype = UIO_MEM_IOVA;
	}
}

void crossvm_mapping_revoke(struct inode *inode)
{
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
}
