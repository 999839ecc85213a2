// SPDX-License-Identifier: BSD-2-Clause
/*
 * From what the caller says to a connection: everything is checked before anybody else hears of it,
 * and copied.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <crossvm/name.h>

#include "vmm/vmm.h"

#define BIT_COUNTS      64u /* a dataport's size below this is frame_size_bits */
#define MIN_FRAME_BITS  12u
#define MAX_FRAME_BITS  32u
#define MEMBERS_DEFAULT 2u

static int copy_name(struct crossvm_vmm_connection *c, const char *name)
{
	const char *wrong;

	if (!name) {
		snprintf(c->options.name, sizeof(c->options.name), "connection-%u", c->index);
		return 0;
	}
	wrong = crossvm_name_wrong(name);
	if (wrong) {
		crossvm_vmm_error(c, "the connection name %s: give another", wrong);
		return -EINVAL;
	}
	memcpy(c->options.name, name, strlen(name) + 1);
	return 0;
}

/* The older spelling: the size of a frame as a number of bits. */
static int measure_bits(struct crossvm_vmm_connection *c, size_t bits)
{
	if (bits < MIN_FRAME_BITS || bits > MAX_FRAME_BITS) {
		crossvm_vmm_error(c,
				  "the dataport's size is %zu: give bytes in whole pages, or "
				  "frame_size_bits from %u to %u",
				  bits, MIN_FRAME_BITS, MAX_FRAME_BITS);
		return -EINVAL;
	}
	c->options.dataport_bytes = (uint64_t)c->num_frames << bits;
	return 0;
}

static int measure_size(struct crossvm_vmm_connection *c, size_t size)
{
	if (size % CROSSVM_PAGE_BYTES != 0 || size / CROSSVM_PAGE_BYTES % c->num_frames != 0) {
		crossvm_vmm_error(c,
				  "the dataport's size of %zu bytes does not divide into %zu "
				  "frames of whole pages: give a multiple of %llu",
				  size, c->num_frames,
				  (unsigned long long)c->num_frames * CROSSVM_PAGE_BYTES);
		return -EINVAL;
	}
	c->options.dataport_bytes = size;
	return 0;
}

static int describe_dataport(struct crossvm_vmm_connection *c,
			     const crossvm_dataport_handle_t *dataport)
{
	int err;

	if (!dataport)
		return 0;
	if (dataport->num_frames < 1 || !dataport->frames) {
		crossvm_vmm_error(c,
				  "the dataport has %d frames at %p: give the frames that back it, "
				  "or a dataport of NULL for events only",
				  dataport->num_frames, (void *)dataport->frames);
		return -EINVAL;
	}
	c->num_frames = (size_t)dataport->num_frames;
	err = dataport->size < BIT_COUNTS ? measure_bits(c, dataport->frame_size_bits)
					  : measure_size(c, dataport->size);
	if (err)
		return err;
	if (c->options.dataport_bytes > CROSSVM_MAX_DATAPORT_BYTES) {
		crossvm_vmm_error(c, "the dataport has %llu bytes: at most %llu are possible",
				  (unsigned long long)c->options.dataport_bytes,
				  (unsigned long long)CROSSVM_MAX_DATAPORT_BYTES);
		return -EINVAL;
	}
	/* Fits a size_t: a frame is no larger than the size given, or than the frames that exist. */
	c->frame_bytes = (size_t)(c->options.dataport_bytes / c->num_frames);
	return 0;
}

static bool connection_id_taken(const struct crossvm_vmm *vmm, uint32_t id)
{
	for (unsigned int i = 0; i < vmm->count; i++)
		if (vmm->connections[i]->options.connection_id == id)
			return true;
	return false;
}

/* Who this VM is among the connection's members. */
static int describe_member(const struct crossvm_vmm *vmm, struct crossvm_vmm_connection *c,
			   const struct crossvm_connection_options *options)
{
	c->options.connection_id = options->connection_id;
	c->options.member_id = options->member_id;
	c->options.member_count = options->member_count;
	if (options->connection_id == 0 && options->member_id == 0 && options->member_count == 0) {
		c->options.member_count = MEMBERS_DEFAULT;
		c->options.connection_id = c->index + 1;
		while (connection_id_taken(vmm, c->options.connection_id))
			c->options.connection_id++;
		return 0;
	}
	if (connection_id_taken(vmm, options->connection_id)) {
		crossvm_vmm_error(c, "the connection id %u is taken by another of this VM",
				  options->connection_id);
		return -EEXIST;
	}
	return 0;
}

static int check_unique(const struct crossvm_vmm *vmm, const struct crossvm_vmm_connection *c)
{
	for (unsigned int i = 0; i < vmm->count; i++) {
		const struct crossvm_vmm_connection *other = vmm->connections[i];

		if (strcmp(other->options.name, c->options.name) == 0) {
			crossvm_vmm_error(c, "connection %u has the same name: give another",
					  other->index);
			return -EEXIST;
		}
		if (c->consumes && other->consumes && other->consume_id == c->consume_id) {
			crossvm_vmm_error(c,
					  "connection %u (\"%s\") has the same consume_id %llu: "
					  "give another, or -1 for no events",
					  other->index, other->options.name,
					  (unsigned long long)c->consume_id);
			return -EEXIST;
		}
	}
	return 0;
}

static int check_device(const struct crossvm_vmm_connection *c)
{
	const struct crossvm_device_options *options = &c->options;
	const char *wrong = crossvm_device_options_check(options);

	if (!wrong)
		return 0;
	crossvm_vmm_error(c,
			  "%s (connection id %u, member %u of %u, access 0x%x, dataport of %llu "
			  "bytes, %s layout)",
			  wrong, options->connection_id, options->member_id, options->member_count,
			  options->access, (unsigned long long)options->dataport_bytes,
			  options->layout == CROSSVM_LAYOUT_SINGLE ? "single" : "split");
	return -EINVAL;
}

static int fill(const struct crossvm_vmm *vmm, struct crossvm_vmm_connection *c,
		const struct crossvm_connection_options *options)
{
	const crossvm_handle_t *handle = &options->handle;
	bool single = options->single_layout || crossvm_platform.single_layout;
	int err;

	err = copy_name(c, handle->connection_name);
	if (err)
		return err;
	err = describe_dataport(c, handle->dataport);
	if (err)
		return err;
	err = describe_member(vmm, c, options);
	if (err)
		return err;
	c->options.layout = single ? CROSSVM_LAYOUT_SINGLE : CROSSVM_LAYOUT_SPLIT;
	c->options.access =
		options->access ? options->access : CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE;
	c->options.msi = crossvm_platform.msi;
	c->options.writers = options->writers;
	c->options.peers = options->peers;
	c->options.doorbell = options->doorbell != NULL;
	c->options.reads_untrapped = crossvm_platform.reads_untrapped;
	c->consume_id = handle->consume_id;
	c->consumes = !crossvm_consume_id_is_none(handle->consume_id);
	c->emit_fn = handle->emit_fn;
	c->callbacks = options->callbacks;
	c->context = options->context;
	c->doorbell = options->doorbell;
	err = check_unique(vmm, c);
	if (err)
		return err;
	return check_device(c);
}

static size_t bytes_of(const struct crossvm_vmm_connection *c)
{
	return sizeof(*c) + c->num_frames * sizeof(c->frames[0]);
}

int crossvm_vmm_describe(struct crossvm_vmm *vmm, vm_t *vm, vmm_pci_space_t *pci,
			 const struct crossvm_connection_options *options)
{
	struct crossvm_vmm_connection draft = {.vm = vm, .pci = pci, .index = vmm->count};
	struct crossvm_vmm_connection *c;
	int err;

	err = fill(vmm, &draft, options);
	if (err)
		return err;
	c = crossvm_platform.allocate(vm, bytes_of(&draft));
	if (!c) {
		crossvm_vmm_error(&draft, "no memory for %zu frames", draft.num_frames);
		return -ENOMEM;
	}
	*c = draft;
	if (c->num_frames != 0)
		memcpy(c->frames, options->handle.dataport->frames,
		       c->num_frames * sizeof(c->frames[0]));
	vmm->connections[vmm->count++] = c;
	return 0;
}

void crossvm_vmm_forget(struct crossvm_vmm_connection *connection)
{
	crossvm_platform.release(connection->vm, connection, bytes_of(connection));
}
