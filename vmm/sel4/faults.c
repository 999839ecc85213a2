// SPDX-License-Identifier: BSD-2-Clause
/*
 * What traps: stores to the register page, and to a dataport that this VM may only read. All of a
 * BAR is mapped readable, so nothing else can. Whatever the guest stores, it goes on.
 */
#include <utils/util.h>

#include "vmm/sel4/internal.h"

static bool touches(size_t offset, size_t bytes, uint32_t reg)
{
	return offset < reg + 4u && offset + bytes > reg;
}

/*
 * The value counts for one register only, and elsewhere is not asked for. A store whose value
 * libsel4vm cannot tell leaves that register as it is.
 */
static void registers_written(struct sel4_connection *c, vm_vcpu_t *vcpu, size_t offset,
			      size_t bytes)
{
	uint64_t value = 0;

	if (touches(offset, bytes, CROSSVM_REG_CONTROL) && !sel4_arch.stored_value(vcpu, &value))
		return;
	crossvm_device_registers_write(&c->connection->device, (uint32_t)offset, &value,
				       bytes < sizeof(value) ? bytes : sizeof(value));
}

static void dataport_written(struct sel4_connection *c)
{
	if (c->told_of_read_only)
		return;
	c->told_of_read_only = true;
	ZF_LOGW("connection %s: the guest writes to a dataport that it may only read; ignored, and "
		"not reported again",
		c->connection->options.name);
}

memory_fault_result_t sel4_bar_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t bytes,
				     void *cookie)
{
	struct sel4_bar *bar = cookie;

	(void)vm;
	if (bar->number == 0)
		registers_written(bar->owner, vcpu, address - bar->placed, bytes);
	else
		dataport_written(bar->owner);
	/* To libsel4vm: go on behind the store. */
	return FAULT_IGNORE;
}
