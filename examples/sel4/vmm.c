// SPDX-License-Identifier: BSD-2-Clause
/*
 * A VMM for seL4 as a plain root task: one Linux guest, one native component, two connections
 * between them. "text" takes a string and gives it back reversed; "tally" says how many there have
 * been, and the guest may only read it. docs/sel4.md walks through it.
 */
#include <stdio.h>

#include <sel4vm/boot.h>
#include <sel4vmmplatsupport/drivers/cross_vm_connection.h>

#include "component.h"
#include "environment.h"
#include "guest.h"

/* Where the guest has its PCI memory (qemu-arm-virt), and interrupts that nobody else uses. */
#define PCI_MEMORY 0xdf000000ul
#define FIRST_IRQ  60

#define TEXT_BADGE  (1ul << 17)
#define TALLY_BADGE (1ul << 18)

static struct environment env;
static struct guest guest;
static struct component component;

static void wake_component(void *context)
{
	struct component *woken = context;

	seL4_Signal(woken->wake);
}

static int next_irq(void)
{
	static int irq = FIRST_IRQ;

	return irq++;
}

static void connect(void)
{
	static const struct crossvm_connection_callbacks to_component = {.emit = wake_component};
	crossvm_dataport_handle_t text = {
		.size = DATAPORT_BYTES,
		.num_frames = DATAPORT_FRAMES,
		.frames = component.text.frames,
	};
	crossvm_dataport_handle_t tally = {
		.size = DATAPORT_BYTES,
		.num_frames = DATAPORT_FRAMES,
		.frames = component.tally.frames,
	};
	const struct crossvm_connection_options connections[] = {
		{
			.handle = {&text, NULL, TEXT_BADGE, "text"},
			.callbacks = &to_component,
			.context = &component,
		},
		{
			.handle = {&tally, NULL, TALLY_BADGE, "tally"},
			.access = CROSSVM_ACCESS_READ,
		},
	};

	if (crossvm_connections_init(&guest.vm, PCI_MEMORY, connections, 2, guest.pci, next_irq))
		fail("making the connections");
}

/* Something that is no fault of the guest's came in: the badge says what, one bit each. */
static int notified(vm_t *vm, seL4_Word badge, seL4_MessageInfo_t tag, void *cookie)
{
	const seL4_Word ours[] = {TEXT_BADGE, TALLY_BADGE};

	(void)tag;
	(void)cookie;
	if (badge & SERIAL_BADGE)
		guest_serial_interrupt(&guest);
	for (int i = 0; i < 2; i++)
		if (badge & ours[i])
			consume_connection_event(vm, ours[i], true);
	return 0;
}

int main(void)
{
	environment_init(&env);
	guest_make(&guest, &env);
	vm_register_notification_callback(&guest.vm, notified, NULL);
	component.text_done = environment_signal(&env, TEXT_BADGE);
	component.tally_done = environment_signal(&env, TALLY_BADGE);
	component_start(&component, &env);
	connect();
	guest_start(&guest);
	/* It returns now and then without an error; only an error ends the VM. */
	while (vm_run(&guest.vm) == 0)
		;
	fail("running the VM");
}
