// SPDX-License-Identifier: BSD-2-Clause
/*
 * Init and destroy. An init call goes through four steps, each for all its connections before the
 * next: describe (nobody else hears of them), create (the platform gives memory), place, install
 * (the guest sees them). A failure in any of them takes all of them back.
 */
#include <errno.h>
#include <string.h>

#include "vmm/vmm.h"

/* What an init call was given; one of handles and options. */
struct request {
	vm_t *vm;
	uintptr_t base;
	const crossvm_handle_t *handles;
	const struct crossvm_connection_options *options;
	int num;
	vmm_pci_space_t *pci;
	alloc_free_interrupt_fn alloc_irq;
};

/* Accepts a connection at any step. */
static void connection_destroy(struct crossvm_vmm_connection *c)
{
	if (c->installed)
		crossvm_platform.remove(c);
	if (c->created)
		crossvm_platform.destroy(c);
	crossvm_vmm_forget(c);
}

/* Destroy the newest connections until count are left. */
static void shrink(struct crossvm_vmm *vmm, unsigned int count)
{
	while (vmm->count > count) {
		struct crossvm_vmm_connection *c = vmm->connections[--vmm->count];

		vmm->connections[vmm->count] = NULL;
		connection_destroy(c);
	}
}

static int create(struct crossvm_vmm_connection *c, alloc_free_interrupt_fn alloc_irq)
{
	struct crossvm_device *device = &c->device;
	int err;

	c->irq = alloc_irq();
	if (c->irq < 0) {
		crossvm_vmm_error(c, "alloc_irq returned %d: it has no interrupt number left",
				  c->irq);
		return -ENOSPC;
	}
	err = crossvm_platform.create(c);
	if (err)
		return err;
	c->created = true;
	/* Cannot fail: describe has checked the options. */
	crossvm_device_state_init(device->state, device->status, device->mirror, &c->options);
	device->ops = &crossvm_vmm_device_ops;
	device->context = c;
	return 0;
}

static int install(struct crossvm_vmm_connection *c)
{
	int err = crossvm_platform.install(c);

	if (err)
		return err;
	c->installed = true;
	return 0;
}

static int describe(struct crossvm_vmm *vmm, const struct request *request, int i)
{
	struct crossvm_connection_options options = {0};

	if (request->options)
		options = request->options[i];
	else
		options.handle = request->handles[i];
	return crossvm_vmm_describe(vmm, request->vm, request->pci, &options);
}

static int add(struct crossvm_vmm *vmm, const struct request *request)
{
	unsigned int first = vmm->count;
	int err = 0;

	for (int i = 0; !err && i < request->num; i++)
		err = describe(vmm, request, i);
	for (unsigned int i = first; !err && i < vmm->count; i++)
		err = create(vmm->connections[i], request->alloc_irq);
	if (!err)
		err = crossvm_vmm_place(vmm, first, request->base);
	for (unsigned int i = first; !err && i < vmm->count; i++)
		err = install(vmm->connections[i]);
	if (err) {
		shrink(vmm, first);
		return err;
	}
	for (unsigned int i = first; i < vmm->count; i++)
		if (vmm->connections[i]->consumes)
			crossvm_lookup_add(&vmm->lookup, vmm->connections[i]);
	return 0;
}

/* The VM's connections, made if there are none yet. */
static struct crossvm_vmm *get(vm_t *vm)
{
	struct crossvm_vmm *vmm = crossvm_platform.get(vm);

	if (vmm)
		return vmm;
	vmm = crossvm_platform.allocate(vm, sizeof(*vmm));
	if (vmm && crossvm_platform.set(vm, vmm) != 0) {
		crossvm_platform.release(vm, vmm, sizeof(*vmm));
		vmm = NULL;
	}
	if (!vmm)
		crossvm_vmm_error_of_vm(vm, "no memory for the connections of a VM");
	return vmm;
}

static void put(vm_t *vm, struct crossvm_vmm *vmm)
{
	crossvm_platform.set(vm, NULL);
	crossvm_platform.release(vm, vmm, sizeof(*vmm));
}

static int check(const struct request *request)
{
	vm_t *vm = request->vm;

	if (!vm || !request->pci || !request->alloc_irq) {
		crossvm_vmm_error_of_vm(vm, "connections need a %s, which is NULL",
					!vm             ? "vm"
					: !request->pci ? "PCI space"
							: "function alloc_irq");
		return -EINVAL;
	}
	if (request->num < 0 || (request->num > 0 && !request->handles && !request->options)) {
		crossvm_vmm_error_of_vm(vm, "%d connections%s: give an array, and at least 0",
					request->num, request->num < 0 ? "" : " at NULL");
		return -EINVAL;
	}
	if (request->base % CROSSVM_PAGE_BYTES != 0) {
		crossvm_vmm_error_of_vm(
			vm,
			"connection_base_addr 0x%llx is not page aligned: give a multiple of %u",
			(unsigned long long)request->base, CROSSVM_PAGE_BYTES);
		return -EINVAL;
	}
	return 0;
}

static int check_count(const struct crossvm_vmm *vmm, const struct request *request)
{
	unsigned int room = CROSSVM_MAX_CONNECTIONS - vmm->count;

	if ((unsigned int)request->num <= room)
		return 0;
	crossvm_vmm_error_of_vm(request->vm,
				"%d connections for a VM that has %u already: %u are possible "
				"in all, so give at most %u",
				request->num, vmm->count, CROSSVM_MAX_CONNECTIONS, room);
	return -E2BIG;
}

static int init(const struct request *request)
{
	struct crossvm_vmm *vmm;
	int err = check(request);

	if (err || request->num == 0)
		return err;
	vmm = get(request->vm);
	if (!vmm)
		return -ENOMEM;
	err = check_count(vmm, request);
	if (!err)
		err = add(vmm, request);
	if (vmm->count == 0)
		put(request->vm, vmm);
	return err;
}

int crossvm_connections_init(vm_t *vm, uintptr_t connection_base_addr,
			     const struct crossvm_connection_options *connections,
			     int num_connections, vmm_pci_space_t *pci,
			     alloc_free_interrupt_fn alloc_irq)
{
	struct request request = {
		.vm = vm,
		.base = connection_base_addr,
		.options = connections,
		.num = num_connections,
		.pci = pci,
		.alloc_irq = alloc_irq,
	};

	return init(&request);
}

int cross_vm_connections_init_common(vm_t *vm, uintptr_t connection_base_addr,
				     crossvm_handle_t *connections, int num_connections,
				     vmm_pci_space_t *pci, alloc_free_interrupt_fn alloc_irq)
{
	struct request request = {
		.vm = vm,
		.base = connection_base_addr,
		.handles = connections,
		.num = num_connections,
		.pci = pci,
		.alloc_irq = alloc_irq,
	};

	return init(&request) == 0 ? 0 : -1;
}

void crossvm_connections_destroy(vm_t *vm)
{
	struct crossvm_vmm *vmm = vm ? crossvm_platform.get(vm) : NULL;

	if (!vmm)
		return;
	shrink(vmm, 0);
	put(vm, vmm);
}
