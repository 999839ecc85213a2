// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmm/fake.h"

#include <errno.h>

struct fake fake;

/* Whether this step is to fail. */
static bool fails(void)
{
	return ++fake.steps == fake.fail_at;
}

static struct crossvm_vmm *get(vm_t *vm)
{
	return vm->vmm;
}

static int set(vm_t *vm, struct crossvm_vmm *vmm)
{
	if (vmm && fails())
		return -ENOMEM;
	assert_true(!vmm || !vm->vmm); /* set once, then taken back */
	vm->vmm = vmm;
	return 0;
}

static struct crossvm_vmm *nth(unsigned int n)
{
	for (unsigned int i = 0; i < FAKE_VMS; i++)
		if (fake.vms[i].vmm && n-- == 0)
			return fake.vms[i].vmm;
	return NULL;
}

static void *allocate(vm_t *vm, size_t bytes)
{
	void *memory;

	assert_non_null(vm);
	if (fails())
		return NULL;
	memory = calloc(1, bytes);
	assert_non_null(memory);
	fake.allocations += bytes;
	return memory;
}

static void release(vm_t *vm, void *memory, size_t bytes)
{
	assert_non_null(vm);
	if (!memory)
		return;
	fake.allocations -= bytes;
	free(memory);
}

struct pages {
	struct crossvm_device_state state;
	_Alignas(CROSSVM_PAGE_BYTES) struct crossvm_status_page status;
	uint8_t mirror[CROSSVM_PAGE_BYTES];
};

static int create(struct crossvm_vmm_connection *c)
{
	struct pages *pages;

	if (c->irq > FAKE_MAX_IRQ) {
		crossvm_vmm_error(c, "interrupt %d is above %d", c->irq, FAKE_MAX_IRQ);
		return -EINVAL;
	}
	if (fails()) {
		crossvm_vmm_error(c, "no memory for the device");
		return -ENOMEM;
	}
	pages = aligned_alloc(CROSSVM_PAGE_BYTES, sizeof(*pages));
	assert_non_null(pages);
	memset(&pages->state, 0x77, sizeof(pages->state));
	memset(&pages->status, 0, sizeof(pages->status));
	memset(pages->mirror, 0, sizeof(pages->mirror));
	c->platform = pages;
	c->device.state = &pages->state;
	c->device.status = &pages->status;
	if (crossvm_platform.reads_untrapped)
		c->device.mirror = pages->mirror;
	fake.created++;
	return 0;
}

static void destroy(struct crossvm_vmm_connection *c)
{
	free(c->platform);
	fake.created--;
}

static int install(struct crossvm_vmm_connection *c)
{
	if (fails()) {
		crossvm_vmm_error(c, "no PCI slot is left");
		return -ENOSPC;
	}
	assert_null(c->vm->installed[c->index]);
	c->vm->installed[c->index] = c;
	fake.installed++;
	return 0;
}

static void remove_(struct crossvm_vmm_connection *c)
{
	assert_ptr_equal(c->vm->installed[c->index], c);
	c->vm->installed[c->index] = NULL;
	fake.installed--;
	fake.removals++;
	fake.last_removed = c->index;
}

static void interrupt(struct crossvm_vmm_connection *c)
{
	fake.interrupted = c;
	fake.interrupts++;
}

static void interrupt_changed(struct crossvm_vmm_connection *c)
{
	/* Only a guest can cause it, and it sees nothing else. */
	assert_ptr_equal(c->vm->installed[c->index], c);
	fake.interrupt_changes++;
}

static void error(vm_t *vm, const char *message)
{
	(void)vm;
	fake.errors++;
	snprintf(fake.error, sizeof(fake.error), "%s", message);
}

const struct crossvm_platform crossvm_platform = {
#ifdef FAKE_PLACES
	.single_layout = true,
	.reads_untrapped = true,
	.places_devices = true,
#else
	.msi = true,
#endif
	.get = get,
	.set = set,
	.nth = nth,
	.allocate = allocate,
	.release = release,
	.create = create,
	.destroy = destroy,
	.install = install,
	.remove = remove_,
	.interrupt = interrupt,
	.interrupt_changed = interrupt_changed,
	.error = error,
};

int fake_start(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.next_irq = 32;
	return 0;
}

int fake_end(void **state)
{
	(void)state;
	fake.fail_at = 0;
	for (unsigned int i = 0; i < FAKE_VMS; i++) {
		crossvm_connections_destroy(&fake.vms[i]);
		if (fake.vms[i].vmm)
			return -1;
	}
	return fake.allocations == 0 && fake.created == 0 && fake.installed == 0 ? 0 : -1;
}

int fake_alloc_irq(void)
{
	return fake.next_irq++;
}

int fake_alloc_same_irq(void)
{
	return 32;
}

struct crossvm_vmm_connection *fake_connection(unsigned int vm, unsigned int index)
{
	assert_non_null(fake.vms[vm].installed[index]);
	return fake.vms[vm].installed[index];
}

struct crossvm_connection_options fake_options(seL4_Word consume_id)
{
	return (struct crossvm_connection_options){.handle = {.consume_id = consume_id}};
}

int fake_init_one(const struct crossvm_connection_options *options)
{
	return crossvm_connections_init(&fake.vms[0], 0, options, 1, &fake.pci, fake_alloc_irq);
}
