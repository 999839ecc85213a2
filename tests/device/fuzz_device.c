// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any sequence of accesses of a guest, and of events and peers from the host. What must hold
 * whatever happens: identity stays, the total only grows, no more is acknowledged than happened.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

static uint32_t take(struct input *input, size_t bytes)
{
	uint32_t value = 0;

	if (bytes > input->left)
		bytes = input->left;
	memcpy(&value, input->data, bytes);
	input->data += bytes;
	input->left -= bytes;
	return value;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(struct crossvm_device *dev, uint64_t *last_total)
{
	struct crossvm_device_state *state = dev->state;
	uint32_t identity;

	crossvm_device_config_read(dev, CROSSVM_FUNCTION_EVENTS, 0, &identity, 4);
	must(identity == (CROSSVM_PCI_DEVICE_EVENTS << 16 | CROSSVM_PCI_VENDOR));
	crossvm_device_config_read(dev, CROSSVM_FUNCTION_EVENTS, 8, &identity, 4);
	must(identity == (CROSSVM_PCI_CLASS << 8 | CROSSVM_PCI_REVISION));
	must(state->total >= *last_total);
	must(state->acked_total <= state->shown_total);
	must(state->shown_total <= state->total);
	must(dev->status->total_events == state->total);
	*last_total = state->total;
}

static void step(struct crossvm_device *dev, struct input *input)
{
	uint32_t what = take(input, 1), offset = take(input, what & 0x80 ? 4 : 1);
	size_t bytes = take(input, 1);
	/* Allocated, so that the sanitizer sees a byte too many. */
	uint8_t *buffer = malloc(bytes ? bytes : 1);

	must(buffer != NULL);
	memset(buffer, (int)(what >> 4), bytes);
	if (bytes <= input->left)
		memcpy(buffer, input->data, bytes);
	switch (what & 0x7) {
	case 0:
		crossvm_device_registers_read(dev, offset, buffer, bytes);
		break;
	case 1:
		crossvm_device_registers_write(dev, offset, buffer, bytes);
		break;
	case 2:
		crossvm_device_config_read(dev, what >> 3 & 3, offset, buffer, bytes);
		break;
	case 3:
		crossvm_device_config_write(dev, what >> 3 & 3, offset, buffer, bytes);
		break;
	case 4:
		crossvm_device_events_add(dev, (uint64_t)offset << (bytes % 64));
		break;
	case 5:
		crossvm_device_peer_set(dev, offset, (struct crossvm_peer_status){what >> 4, 1});
		break;
	case 6:
		memset(dev->status, (int)offset,
		       sizeof(*dev->status)); /* the guest owns that page */
		crossvm_device_recover(dev);
		break;
	default:
		crossvm_device_reset(dev, what >> 3 & 3);
		break;
	}
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(4096) struct crossvm_status_page status;
	static _Alignas(4096) uint32_t mirror[CROSSVM_PAGE_BYTES / 4];
	static struct crossvm_device_state state;
	struct crossvm_device dev = {.state = &state, .status = &status, .mirror = mirror};
	struct input input = {data, size};
	uint32_t kind = take(&input, 1);
	struct crossvm_device_options options = {
		.layout = kind & 1 ? CROSSVM_LAYOUT_SINGLE : CROSSVM_LAYOUT_SPLIT,
		.name = "fuzz",
		.connection_id = 1,
		.member_count = 1 + (kind >> 4),
		.access = CROSSVM_ACCESS_READ,
		.dataport_bytes = kind & 2 ? 12288 : 0,
		.msi = kind & 4,
		.peers = true,
		.reads_untrapped = kind & 8,
	};
	uint64_t last_total = 0;

	must(!crossvm_device_state_init(&state, &status, mirror, &options));
	while (input.left > 0) {
		step(&dev, &input);
		check(&dev, &last_total);
	}
	return 0;
}
