// SPDX-License-Identifier: BSD-2-Clause
#include "guest.h"

#include <cpio/cpio.h>
#include <libfdt.h>
#include <muslcsys/io.h>
#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_memory_helpers.h>
#include <sel4vm/guest_ram.h>
#include <sel4vmmplatsupport/arch/guest_boot_init.h>
#include <sel4vmmplatsupport/guest_image.h>
#include <sel4vmmplatsupport/guest_vcpu_util.h>
#include <sel4vmmplatsupport/ioports.h>
#include <sel4vmmplatsupport/arch/vpci.h>
#include <vka/capops.h>

/* As guest.dts says it. */
#define RAM_BASE    0x40000000ul
#define RAM_BYTES   0x08000000ul
#define INITRD_BASE 0x44000000ul
#define DTB_BASE    0x47000000ul
#define DTB_BYTES   0x10000ul
#define SERIAL_BASE 0x09000000ul
#define SERIAL_IRQ  33
#define GIC_PHANDLE 1

#define VCPU_PRIORITY 100
#define IO_PORTS_FREE 0x1000

extern char _cpio_archive[];
extern char _cpio_archive_end[];

static char device_tree[DTB_BYTES];

/* The board's serial port, straight through. */

static vm_frame_t serial_frame(uintptr_t address, void *cookie)
{
	struct environment *env = cookie;
	vm_frame_t frame = {.cptr = seL4_CapNull};
	cspacepath_t path;
	seL4_Word unused;

	if (vka_cspace_alloc_path(&env->vka, &path))
		return frame;
	if (vka_utspace_alloc_at(&env->vka, &path, kobject_get_type(KOBJECT_FRAME, seL4_PageBits),
				 seL4_PageBits, address, &unused))
		return frame;
	return (vm_frame_t){path.capPtr, seL4_AllRights, address, seL4_PageBits};
}

static void serial_acknowledged(vm_vcpu_t *vcpu, int irq, void *cookie)
{
	struct guest *guest = cookie;

	(void)vcpu;
	(void)irq;
	seL4_IRQHandler_Ack(guest->serial_irq);
}

static void serial_make(struct guest *guest)
{
	struct environment *env = guest->env;
	vm_memory_reservation_t *registers = vm_reserve_memory_at(
		&guest->vm, SERIAL_BASE, 4096, default_error_fault_callback, NULL);
	cspacepath_t path;

	if (!registers || vm_map_reservation(&guest->vm, registers, serial_frame, env))
		fail("mapping the serial port");
	if (vka_cspace_alloc_path(&env->vka, &path) ||
	    simple_get_IRQ_handler(&env->simple, SERIAL_IRQ, path))
		fail("getting the serial port's interrupt");
	guest->serial_irq = path.capPtr;
	if (seL4_IRQHandler_SetNotification(guest->serial_irq,
					    environment_signal(env, SERIAL_BADGE)) ||
	    vm_register_irq(guest->vm.vcpus[BOOT_VCPU], SERIAL_IRQ, serial_acknowledged, guest))
		fail("passing the serial port's interrupt through");
}

void guest_serial_interrupt(struct guest *guest)
{
	vm_inject_irq(guest->vm.vcpus[BOOT_VCPU], SERIAL_IRQ);
}

void guest_make(struct guest *guest, struct environment *env)
{
	vmm_io_port_list_t *io_ports;
	vm_vcpu_t *vcpu;
	vm_t *vm = &guest->vm;

	guest->env = env;
	if (vm_init(vm, &env->vka, &env->simple, env->vspace, &env->io_ops, env->endpoint, "linux"))
		fail("making the VM");
	if (vm_create_default_irq_controller(vm))
		fail("making its interrupt controller");
	vcpu = create_vmm_plat_vcpu(vm, VCPU_PRIORITY);
	if (!vcpu || vm_assign_vcpu_target(vcpu, 0))
		fail("making its vCPU");
	if (vm_ram_register_at(vm, RAM_BASE, RAM_BYTES, false))
		fail("giving it memory");
	serial_make(guest);
	if (vmm_pci_init(&guest->pci) || vmm_io_port_init(&io_ports, IO_PORTS_FREE) ||
	    vm_install_vpci(vm, io_ports, guest->pci))
		fail("making its PCI bus");
}

static int copy_device_tree(vm_t *vm, uintptr_t guest_address, void *address, size_t bytes,
			    size_t offset, void *cookie)
{
	(void)vm;
	(void)guest_address;
	memcpy(address, (char *)cookie + offset, bytes);
	return 0;
}

static void load_device_tree(struct guest *guest, uintptr_t initrd_end)
{
	size_t archive_bytes = (size_t)(_cpio_archive_end - _cpio_archive);
	unsigned long bytes;
	const void *base = cpio_get_file(_cpio_archive, archive_bytes, "guest.dtb", &bytes);
	int chosen;

	if (!base || fdt_open_into(base, device_tree, sizeof(device_tree)))
		fail("finding guest.dtb");
	chosen = fdt_path_offset(device_tree, "/chosen");
	if (fdt_setprop_u64(device_tree, chosen, "linux,initrd-start", INITRD_BASE) ||
	    fdt_setprop_u64(device_tree, chosen, "linux,initrd-end", initrd_end) ||
	    fdt_generate_vpci_node(&guest->vm, guest->pci, device_tree, GIC_PHANDLE))
		fail("completing the device tree");
	vm_ram_mark_allocated(&guest->vm, DTB_BASE, sizeof(device_tree));
	if (vm_ram_touch(&guest->vm, DTB_BASE, sizeof(device_tree), copy_device_tree, device_tree))
		fail("loading the device tree");
}

void guest_start(struct guest *guest)
{
	vm_vcpu_t *vcpu = guest->vm.vcpus[BOOT_VCPU];
	guest_kernel_image_t kernel;
	guest_image_t initrd;

	muslcsys_install_cpio_interface(
		_cpio_archive, (unsigned long)(_cpio_archive_end - _cpio_archive), cpio_get_file);
	guest->vm.entry = RAM_BASE;
	if (vm_load_guest_kernel(&guest->vm, "linux", RAM_BASE, 0, &kernel))
		fail("loading linux");
	if (vm_load_guest_module(&guest->vm, "initrd", INITRD_BASE, 0, &initrd))
		fail("loading initrd");
	load_device_tree(guest, INITRD_BASE + initrd.size);
	if (vcpu_set_bootargs(vcpu, RAM_BASE, 0, DTB_BASE) || vcpu_start(vcpu))
		fail("starting the guest");
}
