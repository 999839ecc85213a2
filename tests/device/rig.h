/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device with everything around it: pages, counters of its callbacks, and short words for what a
 * guest does. Include after nothing; it brings cmocka.
 */
#ifndef TESTS_DEVICE_RIG_H
#define TESTS_DEVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/device.h"

#define EVENTS CROSSVM_FUNCTION_EVENTS
#define MEMORY CROSSVM_FUNCTION_MEMORY

#define PCI_COMMAND        0x04u
#define PCI_STATUS         0x06u
#define PCI_BAR(n)         (0x10u + 4u * (n))
#define PCI_INTERRUPT_LINE 0x3cu

struct rig {
	struct crossvm_device_state state;
	_Alignas(4096) struct crossvm_status_page status;
	_Alignas(4096) uint32_t mirror[CROSSVM_PAGE_BYTES / 4];
	struct crossvm_device dev;
	unsigned int emits;
	unsigned int interrupt_changes;
	unsigned int control_changes;
	uint32_t last_control;
};

static inline void rig_emit(void *context)
{
	((struct rig *)context)->emits++;
}

static inline void rig_interrupt_changed(void *context)
{
	((struct rig *)context)->interrupt_changes++;
}

static inline void rig_control_changed(void *context, uint32_t control)
{
	struct rig *rig = context;

	rig->control_changes++;
	rig->last_control = control;
}

static const struct crossvm_device_ops rig_ops = {
	.emit = rig_emit,
	.interrupt_changed = rig_interrupt_changed,
	.control_changed = rig_control_changed,
};

static inline struct crossvm_device_options rig_options(enum crossvm_layout layout)
{
	return (struct crossvm_device_options){
		.layout = layout,
		.name = "telemetry",
		.connection_id = 0x12345,
		.member_id = 1,
		.member_count = 3,
		.writers = 0x6,
		.access = CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE,
		.dataport_bytes = 3 << 20,
		.msi = layout == CROSSVM_LAYOUT_SPLIT,
		.peers = true,
	};
}

/* A device of these options, on memory that was not zero. */
static inline void rig_start_with(struct rig *rig, const struct crossvm_device_options *options)
{
	memset(&rig->state, 0xa5, sizeof(rig->state));
	memset(&rig->status, 0, sizeof(rig->status));
	memset(rig->mirror, 0, sizeof(rig->mirror));
	rig->emits = rig->interrupt_changes = rig->control_changes = rig->last_control = 0;
	rig->dev = (struct crossvm_device){
		.state = &rig->state,
		.status = &rig->status,
		.mirror = options->reads_untrapped ? rig->mirror : NULL,
		.ops = &rig_ops,
		.context = rig,
	};
	assert_null(crossvm_device_state_init(&rig->state, &rig->status, rig->dev.mirror, options));
}

static inline void rig_start(struct rig *rig, enum crossvm_layout layout)
{
	struct crossvm_device_options options = rig_options(layout);

	rig_start_with(rig, &options);
}

static inline uint32_t get(struct rig *rig, uint32_t reg)
{
	uint32_t value;

	crossvm_device_registers_read(&rig->dev, reg, &value, sizeof(value));
	return value;
}

static inline void put(struct rig *rig, uint32_t reg, uint32_t value)
{
	crossvm_device_registers_write(&rig->dev, reg, &value, sizeof(value));
}

/* What every driver does first; only then is INTx asserted. */
static inline void attend(struct rig *rig)
{
	get(rig, CROSSVM_REG_NAME);
	rig->interrupt_changes = 0;
}

static inline uint32_t config_get(struct rig *rig, enum crossvm_function function, uint32_t offset,
				  size_t bytes)
{
	uint32_t value = 0;

	crossvm_device_config_read(&rig->dev, function, offset, &value, bytes);
	return value;
}

static inline void config_put(struct rig *rig, enum crossvm_function function, uint32_t offset,
			      uint32_t value, size_t bytes)
{
	crossvm_device_config_write(&rig->dev, function, offset, &value, bytes);
}

/* A generator of numbers that are the same in every run. */
static inline uint32_t random32(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

#endif
