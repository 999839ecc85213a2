// SPDX-License-Identifier: BSD-2-Clause
#include "guest.h"

#define COMMAND       0x04
#define BAR(n)        (0x10 + 4 * (int)(n))
#define LINE          0x3c
#define DECODE_MEMORY 0x2u
#define BARS          2u

size_t guest_bar_bytes(struct machine *m, unsigned int slot, unsigned int bar)
{
	uint32_t command = fake_config_read(m->pci, slot, COMMAND, 2);
	uint32_t address = fake_config_read(m->pci, slot, BAR(bar), 4);
	uint32_t mask;

	fake_config_write(m->pci, slot, COMMAND, 2, command & ~DECODE_MEMORY);
	fake_config_write(m->pci, slot, BAR(bar), 4, UINT32_MAX);
	mask = fake_config_read(m->pci, slot, BAR(bar), 4) & ~0xfu;
	fake_config_write(m->pci, slot, BAR(bar), 4, address);
	fake_config_write(m->pci, slot, COMMAND, 2, command);
	return mask ? ~mask + 1u : 0;
}

uintptr_t guest_bar(struct machine *m, unsigned int slot, unsigned int bar)
{
	return fake_config_read(m->pci, slot, BAR(bar), 4) & ~0xfu;
}

void guest_assign(struct machine *m, unsigned int devices, uintptr_t base)
{
	for (size_t bytes = 1u << 30; bytes >= 4096; bytes >>= 1) {
		for (unsigned int i = 0; i < devices * BARS; i++) {
			unsigned int slot = 1 + i / BARS;

			if (guest_bar_bytes(m, slot, i % BARS) != bytes)
				continue;
			fake_config_write(m->pci, slot, BAR(i % BARS), 4, (uint32_t)base);
			base += bytes;
		}
	}
}

struct guest_driver guest_probe(struct machine *m, unsigned int slot, enum guest_driver_kind kind)
{
	return (struct guest_driver){
		.m = m,
		.kind = kind,
		.slot = slot,
		.irq = (int)fake_config_read(m->pci, slot, LINE, 1),
		.registers = guest_bar(m, slot, 0),
		.dataport = guest_bar(m, slot, 1),
		.dataport_bytes = guest_bar_bytes(m, slot, 1),
	};
}

static bool handle_old(struct guest_driver *driver)
{
	vm_t *vm = driver->m->vm;
	uint64_t count = fake_guest_load(vm, driver->registers + CROSSVM_REG_EVENT_COUNT, 4);

	if (count == 0)
		return false;
	fake_guest_store(vm, driver->registers + CROSSVM_REG_EVENT_COUNT, 0, 4);
	driver->events += count;
	return true;
}

static bool handle_ours(struct guest_driver *driver)
{
	vm_t *vm = driver->m->vm;

	if (fake_guest_load(vm, driver->registers + CROSSVM_REG_PENDING, 4) == 0)
		return false;
	fake_guest_store(vm, driver->registers + CROSSVM_REG_PENDING, 1, 4);
	driver->events = fake_guest_load(vm,
					 driver->registers + CROSSVM_SINGLE_STATUS_OFFSET +
						 offsetof(struct crossvm_status_page, total_events),
					 8);
	return true;
}

bool guest_handle(struct guest_driver *driver)
{
	bool handled = driver->kind == GUEST_DRIVER_OLD ? handle_old(driver) : handle_ours(driver);

	driver->handled += handled;
	driver->unhandled += !handled;
	return handled;
}

unsigned int guest_run(struct guest_driver *drivers, unsigned int count)
{
	unsigned int taken = 0;
	int irq;

	while ((irq = fake_irq_take(drivers[0].m->vm)) >= 0) {
		for (unsigned int i = 0; i < count; i++)
			if (drivers[i].irq == irq)
				guest_handle(&drivers[i]);
		fake_irq_eoi(drivers[0].m->vm, irq);
		taken++;
	}
	return taken;
}
