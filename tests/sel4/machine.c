// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

unsigned int machine_emits;

static int next_irq;

int irq_each(void)
{
	return next_irq++;
}

int irq_same(void)
{
	return fake_first_irq;
}

void assert_alive(void)
{
	const char *why = fake_death();

	if (why)
		fail_msg("%s", why);
}

void machine_make(struct machine *m)
{
	*m = (struct machine){.before = fake_usage};
	m->vm = fake_vm_make();
	m->pci = fake_pci_make();
	next_irq = fake_first_irq;
	machine_emits = 0;
	(void)fake_log_take();
}

void machine_forget(struct machine *m, unsigned int count)
{
	while (m->count > count) {
		unsigned int n = --m->count;

		for (int i = 0; i < m->dataports[n].num_frames; i++)
			fake_frame_free(m->dataports[n].frames[i]);
		free(m->dataports[n].frames);
	}
}

void machine_free(struct machine *m)
{
	crossvm_connections_destroy(m->vm);
	machine_forget(m, 0);
	fake_pci_free(m->pci);
	fake_vm_free(m->vm);
	assert_alive();
	assert_int_equal(fake_usage.slots, m->before.slots);
	assert_int_equal(fake_usage.frames, m->before.frames);
	assert_int_equal(fake_usage.reservations, m->before.reservations);
	assert_int_equal(fake_usage.mappings, m->before.mappings);
	/* VMs' records are kept for the next VMs; tests have up to three at a time. */
	assert_in_range(fake_usage.blocks, m->before.blocks, m->before.blocks + 3);
}

seL4_Word machine_id(unsigned int n)
{
	return 1ul << n;
}

static void count_emit(void)
{
	machine_emits++;
}

crossvm_handle_t machine_handle(struct machine *m, struct dataport dataport)
{
	static char names[MACHINE_CONNECTIONS][8];
	static crossvm_dataport_handle_t dataports[MACHINE_CONNECTIONS];
	unsigned int n = m->count++;
	seL4_CPtr *frames =
		dataport.frames ? calloc((size_t)dataport.frames, sizeof(*frames)) : NULL;

	for (int i = 0; i < dataport.frames; i++)
		frames[i] = fake_frame_make(dataport.bits);
	m->dataports[n].frames = frames;
	m->dataports[n].num_frames = dataport.frames;
	dataports[n] = (crossvm_dataport_handle_t){
		.frame_size_bits = dataport.bits,
		.num_frames = dataport.frames,
		.frames = frames,
	};
	snprintf(names[n], sizeof(names[n]), "c%u", n);
	return (crossvm_handle_t){
		.dataport = dataport.frames ? &dataports[n] : NULL,
		.emit_fn = count_emit,
		.consume_id = machine_id(n),
		.connection_name = names[n],
	};
}

void machine_connect(struct machine *m, unsigned int count, const struct dataport *dataports,
		     alloc_free_interrupt_fn alloc_irq)
{
	crossvm_handle_t handles[MACHINE_CONNECTIONS];

	for (unsigned int i = 0; i < count; i++)
		handles[i] = machine_handle(m, dataports[i]);
	if (cross_vm_connections_init_common(m->vm, MACHINE_BASE, handles, (int)count, m->pci,
					     alloc_irq))
		fail_msg("init failed: %s", fake_log_take());
}
