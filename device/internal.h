/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of device/. */
#ifndef CROSSVM_DEVICE_INTERNAL_H
#define CROSSVM_DEVICE_INTERNAL_H

#include "device/device.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "config space, registers and status page are little-endian, and so must the machine be"
#endif

static inline bool crossvm_is_split(const struct crossvm_device_state *state)
{
	return state->options.layout == CROSSVM_LAYOUT_SPLIT;
}

static inline bool crossvm_reads_trap(const struct crossvm_device_state *state)
{
	return !state->options.reads_untrapped;
}

/* Peer changes that the guest asked for and has not acknowledged. */
static inline bool crossvm_peers_pending(const struct crossvm_device_state *state)
{
	return (state->control & CROSSVM_CONTROL_PEER_CHANGES) &&
	       state->generation != state->acked_generation;
}

/*
 * What interrupts the guest. If the guest reads the mirror, only what the mirror shows counts. For
 * anything else a guest would look, find nothing, and be interrupted again, until the thread that
 * publishes it gets to run: for ever, if that thread waits for the guest's processor.
 */
static inline bool crossvm_is_pending(const struct crossvm_device_state *state)
{
	uint64_t mirrored;
	uint32_t generation;

	if (crossvm_reads_trap(state))
		return state->total != state->acked_total || crossvm_peers_pending(state);
	/* Before shown_*, so that a thread which finds them equal finds nothing older. */
	mirrored = state->mirrored_total;
	generation = state->mirrored_generation;
	return (mirrored == state->shown_total && mirrored != state->acked_total) ||
	       ((state->control & CROSSVM_CONTROL_PEER_CHANGES) &&
		generation == state->shown_generation && generation != state->acked_generation);
}

/* Call interrupt_changed, if anybody wants it. */
static inline void crossvm_tell_interrupt_changed(struct crossvm_device *dev)
{
	if (dev->ops && dev->ops->interrupt_changed)
		dev->ops->interrupt_changed(dev->context);
}

/* config.c: fill a function's config space as after power-on, if the layout has it. */
void crossvm_config_init(struct crossvm_device_state *state, enum crossvm_function function);
/* Derive intx_off from config space. */
void crossvm_config_update_intx(struct crossvm_device_state *state);

/*
 * registers.c: mark what the guest sees now as shown, and write it to the mirror. total is what the
 * status page says by now. One thread at a time.
 */
void crossvm_registers_publish(struct crossvm_device *dev, uint64_t total);
/* Fill the mirror. */
void crossvm_registers_fill(struct crossvm_device *dev);

/* status.c: fill the status page. */
void crossvm_status_fill(struct crossvm_device *dev);
/*
 * Let status page and mirror follow a change of the state. Any thread; never blocks. Afterwards the
 * thread looks whether the guest is to be interrupted, see the definition.
 */
void crossvm_publish(struct crossvm_device *dev);

/* device.c: what CROSSVM_REG_FEATURES shows. */
uint32_t crossvm_features(const struct crossvm_device_options *options);

#endif
