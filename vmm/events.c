// SPDX-License-Identifier: BSD-2-Clause
/* What happens while connections are installed: the guest emits, peers emit, members come and go. */
#include <errno.h>

#include "vmm/vmm.h"

/* From the guest. */

static void emit(void *context)
{
	struct crossvm_vmm_connection *c = context;

	if (c->callbacks && c->callbacks->emit)
		c->callbacks->emit(c->context);
	else if (c->emit_fn)
		c->emit_fn();
}

static void interrupt_changed(void *context)
{
	crossvm_platform.interrupt_changed(context);
}

static void tell_state(struct crossvm_vmm_connection *c, uint32_t state)
{
	if (c->callbacks && c->callbacks->state_changed)
		c->callbacks->state_changed(c->context, state);
}

static uint32_t attached_state(uint32_t control)
{
	return control & CROSSVM_CONTROL_OPEN ? CROSSVM_PEER_OPEN : CROSSVM_PEER_PRESENT;
}

static void control_changed(void *context, uint32_t control)
{
	if (crossvm_platform.control_changed)
		crossvm_platform.control_changed(context, control);
	tell_state(context, attached_state(control));
}

const struct crossvm_device_ops crossvm_vmm_device_ops = {
	.emit = emit,
	.interrupt_changed = interrupt_changed,
	.control_changed = control_changed,
};

void crossvm_vmm_attached(struct crossvm_vmm_connection *connection, bool attached)
{
	tell_state(connection, attached ? attached_state(connection->device.state->control)
					: CROSSVM_PEER_ABSENT);
}

/* To the guest. */

/* The connection that events of this id go to, if just one VM has it. */
static struct crossvm_vmm_connection *find_in_any(seL4_Word event_id)
{
	struct crossvm_vmm_connection *found = NULL;
	struct crossvm_vmm *vmm;

	for (unsigned int n = 0; (vmm = crossvm_platform.nth(n)) != NULL; n++) {
		struct crossvm_vmm_connection *c = crossvm_lookup_find(&vmm->lookup, event_id);

		if (c && found)
			return NULL;
		found = c ? c : found;
	}
	return found;
}

struct crossvm_vmm_connection *crossvm_vmm_find(vm_t *vm, seL4_Word event_id)
{
	struct crossvm_vmm *vmm;

	/* An id that says "none" is in no lookup, so it needs no check. */
	if (!vm)
		return crossvm_platform.nth ? find_in_any(event_id) : NULL;
	vmm = crossvm_platform.get(vm);
	return vmm ? crossvm_lookup_find(&vmm->lookup, event_id) : NULL;
}

void consume_connection_event(vm_t *vm, seL4_Word event_id, bool inject_irq)
{
	struct crossvm_vmm_connection *c = crossvm_vmm_find(vm, event_id);

	if (!c)
		return;
	crossvm_device_events_add(&c->device, 1);
	if (inject_irq)
		crossvm_platform.interrupt(c);
}

void crossvm_consume_total(vm_t *vm, seL4_Word event_id, uint64_t total, bool inject_irq)
{
	struct crossvm_vmm_connection *c = crossvm_vmm_find(vm, event_id);

	if (c && crossvm_device_events_set(&c->device, total) && inject_irq)
		crossvm_platform.interrupt(c);
}

int crossvm_peer_set(vm_t *vm, seL4_Word event_id, uint32_t member_id, const char *name,
		     struct crossvm_peer_status status)
{
	struct crossvm_vmm_connection *c = crossvm_vmm_find(vm, event_id);

	if (!c)
		return -ENOENT;
	if (member_id >= c->options.member_count || status.state > CROSSVM_PEER_OPEN)
		return -EINVAL;
	if (name)
		crossvm_device_peer_name(&c->device, member_id, name);
	if (crossvm_device_peer_set(&c->device, member_id, status) &&
	    crossvm_device_peer_interrupts(&c->device))
		crossvm_platform.interrupt(c);
	return 0;
}
