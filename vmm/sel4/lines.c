// SPDX-License-Identifier: BSD-2-Clause
/*
 * Interrupt lines. INTA is a level, but on Arm libsel4vm can only inject, and it drops an injection
 * while the interrupt is still in the guest's list registers, that is until the guest's EOI. It
 * drops it too while the guest has the interrupt disabled. So we inject when something comes, and
 * look again at the two moments when an injection may have been dropped before: at the EOI and
 * when the guest enables the interrupt. libsel4vm calls the acknowledge callback at both. What the
 * device counts as unacknowledged decides, so no interrupt comes for nothing.
 *
 * On x86 nothing is dropped but by a reset of the interrupt controller, at which the callback comes
 * too.
 */
#include <errno.h>
#include <stdlib.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>

#include "vmm/sel4/internal.h"

static struct sel4_line *find_line(struct sel4_vm *record, int irq)
{
	struct sel4_line *line = record->lines;

	while (line && line->irq != irq)
		line = line->next;
	return line;
}

/* Whether a connection of the line has something for the guest. */
static bool is_asserted(const struct sel4_line *line)
{
	for (struct sel4_connection *c = line->connections; c; c = c->next_on_line)
		if (crossvm_device_intx_level(&c->connection->device))
			return true;
	return false;
}

static void update(struct sel4_vm *record, struct sel4_line *line)
{
	vm_t *vm = record->vm;

	line->replay = false;
	sel4_arch.drive(vm->vcpus[BOOT_VCPU], line->irq, is_asserted(line));
}

/*
 * EOI, or the guest enables the interrupt. libsel4vm keeps handlers by number only and on x86 for
 * all VMs together, so the cookie may be the record of another VM.
 *
 * On Arm an EOI comes in the middle of libsel4vm's work on the list registers: the one just freed
 * is promised to the head of the overflow queue, and an injection here would take it, which ends in
 * an abort. Then the line is put off until that work is done, see arm.c.
 */
static void acknowledged(vm_vcpu_t *vcpu, int irq, void *cookie)
{
	struct sel4_vm *record = cookie;
	struct sel4_line *line;

	if (record->vm != vcpu->vm)
		record = sel4_vm_find(vcpu->vm);
	line = record ? find_line(record, irq) : NULL;
	if (!line)
		return;
	if (!record->in_maintenance) {
		update(record, line);
	} else if (is_asserted(line)) {
		line->replay = true;
		record->replay = true;
	}
}

void sel4_lines_replay(struct sel4_vm *record)
{
	record->replay = false;
	for (struct sel4_line *line = record->lines; line; line = line->next)
		if (line->replay)
			update(record, line);
}

void sel4_line_update(struct sel4_connection *c)
{
	if (!c->line)
		return;
	/*
	 * Most calls come with an acknowledgement that leaves this connection with nothing for the
	 * guest. Where there are no levels to lower, that is all there is to do: what others of the
	 * line have was injected when it came, or waits for the EOI.
	 */
	if (sel4_arch.has_levels || crossvm_device_intx_level(&c->connection->device))
		update(c->vm, c->line);
}

static struct sel4_line *make_line(struct sel4_connection *c)
{
	struct crossvm_vmm_connection *connection = c->connection;
	struct sel4_line *line = calloc(1, sizeof(*line));

	if (!line) {
		crossvm_vmm_error(connection, "no memory for interrupt %d", connection->irq);
		return NULL;
	}
	line->irq = connection->irq;
	if (vm_register_irq(connection->vm->vcpus[BOOT_VCPU], line->irq, acknowledged, c->vm)) {
		crossvm_vmm_error(connection, "libsel4vm refuses interrupt %d", line->irq);
		free(line);
		return NULL;
	}
	line->next = c->vm->lines;
	c->vm->lines = line;
	return line;
}

int sel4_line_join(struct sel4_connection *c)
{
	struct sel4_line *line = find_line(c->vm, c->connection->irq);

	if (!line)
		line = make_line(c);
	if (!line)
		return -ENOMEM;
	c->line = line;
	c->next_on_line = line->connections;
	line->connections = c;
	return 0;
}

void sel4_line_leave(struct sel4_connection *c)
{
	struct sel4_connection **here;
	struct sel4_line **line = &c->vm->lines;

	if (!c->line)
		return;
	for (here = &c->line->connections; *here != c;)
		here = &(*here)->next_on_line;
	*here = c->next_on_line;
	if (!c->line->connections) {
		while (*line != c->line)
			line = &(*line)->next;
		*line = c->line->next;
		sel4_arch.forget_irq(c->connection->vm->vcpus[BOOT_VCPU], c->line->irq);
		free(c->line);
	}
	c->line = NULL;
}
