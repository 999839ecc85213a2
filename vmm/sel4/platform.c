// SPDX-License-Identifier: BSD-2-Clause
/* The platform table of vmm/ on libsel4vm. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <sel4vm/boot.h>
#include <utils/util.h>
#include <vspace/page.h>

#include "vmm/sel4/internal.h"

static struct crossvm_vmm *get(vm_t *vm)
{
	struct sel4_vm *record = sel4_vm_find(vm);

	return record ? record->vmm : NULL;
}

static int set(vm_t *vm, struct crossvm_vmm *vmm)
{
	struct sel4_vm *record = vmm ? sel4_vm_claim(vm) : sel4_vm_find(vm);

	if (!record)
		return vmm ? -ENOMEM : 0;
	record->vmm = vmm;
	if (!vmm)
		record->vm = NULL;
	return 0;
}

static struct crossvm_vmm *nth(unsigned int n)
{
	struct sel4_vm *record = sel4_vm_nth(n);

	return record ? record->vmm : NULL;
}

static void *allocate(vm_t *vm, size_t bytes)
{
	(void)vm;
	return calloc(1, bytes);
}

static void release(vm_t *vm, void *memory, size_t bytes)
{
	(void)vm;
	(void)bytes;
	free(memory);
}

static int check_irq(const struct crossvm_vmm_connection *connection)
{
	int irq = connection->irq;

	if (irq >= sel4_arch.first_irq && irq <= sel4_arch.last_irq && irq != sel4_arch.no_irq)
		return 0;
	crossvm_vmm_error(connection, "alloc_irq gave interrupt %d; a guest can have %d to %d", irq,
			  sel4_arch.first_irq, sel4_arch.last_irq);
	return -EINVAL;
}

static int check_frames(const struct crossvm_vmm_connection *connection)
{
	size_t bytes = connection->frame_bytes;

	if (connection->num_frames == 0)
		return 0;
	if ((bytes & (bytes - 1)) || !sel4_valid_size_bits((size_t)__builtin_ctzll(bytes))) {
		crossvm_vmm_error(connection, "frames of %zu bytes: seL4 has none of that size",
				  bytes);
		return -EINVAL;
	}
	for (size_t i = 0; i < connection->num_frames; i++) {
		if (connection->frames[i] != seL4_CapNull)
			continue;
		crossvm_vmm_error(connection, "frame %zu of the dataport is no capability", i);
		return -EINVAL;
	}
	return 0;
}

static int check(const struct crossvm_vmm_connection *connection)
{
	int err = check_irq(connection);

	if (err)
		return err;
	err = check_frames(connection);
	if (err)
		return err;
	if (connection->vm->num_vcpus <= BOOT_VCPU) {
		crossvm_vmm_error(connection,
				  "the VM has no vCPU yet: create it before connections");
		return -EINVAL;
	}
	return 0;
}

static int create_parts(struct sel4_connection *c)
{
	vm_t *vm = c->connection->vm;
	int err = sel4_page_make(vm, &c->registers);

	if (err)
		return err;
	err = sel4_page_make(vm, &c->status);
	if (err)
		goto free_registers;
	err = sel4_bars_create(c);
	if (err)
		goto free_status;
	return 0;

free_status:
	sel4_page_free(vm, &c->status);
free_registers:
	sel4_page_free(vm, &c->registers);
	return err;
}

static int create(struct crossvm_vmm_connection *connection)
{
	struct sel4_connection *c;
	int err = check(connection);

	if (err)
		return err;
	c = calloc(1, sizeof(*c));
	if (!c) {
		crossvm_vmm_error(connection, "no memory for its state");
		return -ENOMEM;
	}
	c->connection = connection;
	c->vm = sel4_vm_find(connection->vm);
	err = create_parts(c);
	if (err) {
		crossvm_vmm_error(connection, "no frames or capability slots left for its pages");
		free(c);
		return err;
	}
	connection->platform = c;
	connection->device.state = &c->state;
	connection->device.status = c->status.memory;
	connection->device.mirror = c->registers.memory;
	return 0;
}

static void destroy(struct crossvm_vmm_connection *connection)
{
	struct sel4_connection *c = connection->platform;

	sel4_bars_destroy(c);
	sel4_page_free(connection->vm, &c->status);
	sel4_page_free(connection->vm, &c->registers);
	free(c);
	connection->platform = NULL;
}

static void unlink_connection(struct sel4_connection *c)
{
	struct sel4_connection **here = &c->vm->connections;

	while (*here != c)
		here = &(*here)->next;
	*here = c->next;
}

static int install(struct crossvm_vmm_connection *connection)
{
	struct sel4_connection *c = connection->platform;
	int err;

	c->next = c->vm->connections;
	c->vm->connections = c;
	sel4_bars_settle(c->vm);
	if (!sel4_bars_are_placed(c)) {
		crossvm_vmm_error(
			connection,
			"cannot map its BARs in guest memory at 0x%" PRIx64
			": outside of the PCI window, taken, or out of memory",
			crossvm_device_bar_address(&c->state, CROSSVM_FUNCTION_EVENTS, 0));
		err = -ENOMEM;
		goto unplace;
	}
	err = sel4_line_join(c);
	if (err)
		goto unplace;
	err = sel4_config_space_add(c);
	if (err)
		goto leave_line;
	crossvm_vmm_attached(connection, true);
	return 0;

leave_line:
	sel4_line_leave(c);
unplace:
	sel4_bars_unplace(c);
	unlink_connection(c);
	return err;
}

static void remove_connection(struct crossvm_vmm_connection *connection)
{
	struct sel4_connection *c = connection->platform;

	crossvm_vmm_attached(connection, false);
	sel4_config_space_remove(c);
	sel4_line_leave(c);
	sel4_bars_unplace(c);
	unlink_connection(c);
}

/* In any thread, as the caller of consume_connection_event() asked for. */
static void interrupt(struct crossvm_vmm_connection *connection)
{
	if (crossvm_device_intx_level(&connection->device))
		sel4_arch.drive(connection->vm->vcpus[BOOT_VCPU], connection->irq, true);
}

static void interrupt_changed(struct crossvm_vmm_connection *connection)
{
	sel4_line_update(connection->platform);
}

static void error(vm_t *vm, const char *message)
{
	(void)vm;
	ZF_LOGE("%s", message);
}

const struct crossvm_platform crossvm_platform = {
	.single_layout = true,
	.reads_untrapped = true,
	.places_devices = true,
	.get = get,
	.set = set,
	.nth = nth,
	.allocate = allocate,
	.release = release,
	.create = create,
	.destroy = destroy,
	.install = install,
	.remove = remove_connection,
	.interrupt = interrupt,
	.interrupt_changed = interrupt_changed,
	.error = error,
};
