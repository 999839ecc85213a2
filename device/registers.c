// SPDX-License-Identifier: BSD-2-Clause
/*
 * The register page. An access acts on every 32-bit register that it touches, lowest first. Where
 * the guest's reads do not trap, it reads the mirror instead, which holds the same values.
 */
#include "device/internal.h"

/* Mark events as shown, as many as the count can say. */
static void show_events(struct crossvm_device_state *state)
{
	uint64_t acked = state->acked_total;
	uint64_t pending = state->total - acked;

	state->shown_total = acked + (pending < UINT32_MAX ? pending : UINT32_MAX);
}

static void show_peers(struct crossvm_device_state *state)
{
	state->shown_generation =
		crossvm_peers_pending(state) ? state->generation : state->acked_generation;
}

/* What happens as the guest reads a register, just before it does. */
static void show_register(struct crossvm_device_state *state, uint32_t reg)
{
	switch (reg) {
	case CROSSVM_REG_EVENT_COUNT:
		show_events(state);
		break;
	case CROSSVM_REG_TOTAL_EVENTS:
		state->latched_total = state->total;
		break;
	case CROSSVM_REG_PENDING:
		show_events(state);
		show_peers(state);
		break;
	default:
		break;
	}
}

static uint32_t name_word(const struct crossvm_device_options *options, uint32_t offset)
{
	uint32_t word;

	__builtin_memcpy(&word, options->name + offset, sizeof(word));
	return word;
}

static inline uint32_t pending_bits(const struct crossvm_device_state *state)
{
	uint32_t bits = 0;

	if (state->shown_total != state->acked_total)
		bits |= CROSSVM_PENDING_EVENTS;
	if (state->shown_generation != state->acked_generation)
		bits |= CROSSVM_PENDING_PEERS;
	return bits;
}

static uint32_t fixed_value(const struct crossvm_device_options *options, uint32_t reg)
{
	switch (reg) {
	case CROSSVM_REG_MAGIC:
		return CROSSVM_ABI_MAGIC;
	case CROSSVM_REG_VERSION:
		return CROSSVM_ABI_VERSION;
	case CROSSVM_REG_FEATURES:
		return crossvm_features(options);
	case CROSSVM_REG_CONNECTION_ID:
		return options->connection_id;
	case CROSSVM_REG_MEMBER_ID:
		return options->member_id;
	case CROSSVM_REG_MEMBER_COUNT:
		return options->member_count;
	case CROSSVM_REG_ACCESS:
		return options->access;
	case CROSSVM_REG_STATUS_OFFSET:
		return options->layout == CROSSVM_LAYOUT_SINGLE ? CROSSVM_SINGLE_STATUS_OFFSET : 0;
	case CROSSVM_REG_DATAPORT_BYTES:
		return (uint32_t)options->dataport_bytes;
	case CROSSVM_REG_DATAPORT_BYTES + 4:
		return (uint32_t)(options->dataport_bytes >> 32);
	default:
		break;
	}
	if (reg >= CROSSVM_REG_NAME && reg < CROSSVM_REG_NAME + CROSSVM_NAME_BYTES)
		return name_word(options, reg - CROSSVM_REG_NAME);
	return 0;
}

static uint32_t register_value(const struct crossvm_device_state *state, uint32_t reg)
{
	switch (reg) {
	case CROSSVM_REG_EVENT_COUNT:
		return (uint32_t)(state->shown_total - state->acked_total);
	case CROSSVM_REG_TOTAL_EVENTS:
		return (uint32_t)state->latched_total;
	case CROSSVM_REG_TOTAL_EVENTS + 4:
		return (uint32_t)(state->latched_total >> 32);
	case CROSSVM_REG_CONTROL:
		return state->control;
	case CROSSVM_REG_PENDING:
		return pending_bits(state);
	default:
		return fixed_value(&state->options, reg);
	}
}

static void mirror_value(struct crossvm_device *dev, uint32_t reg, uint32_t value)
{
	uint32_t *mirror = dev->mirror;

	__atomic_store_n(&mirror[reg / 4], value, __ATOMIC_RELEASE);
}

static void mirror_register(struct crossvm_device *dev, uint32_t reg)
{
	mirror_value(dev, reg, register_value(dev->state, reg));
}

/*
 * Show events in the mirror's count, if none are shown yet: those that the status page has, so that
 * a guest which acknowledges them finds them there.
 *
 * The count has one writer at a time, so that a guest which adds up what it reads adds up right:
 * while nothing is shown, the thread that publishes; from then on the guest's acknowledgement.
 *
 * shown_total is set before the mirror. In between, only a guest that acknowledges without reading
 * could acknowledge too much; in the opposite order, the acknowledgement of a count that the guest did
 * read could be lost. Release, for the store of the mirror behind it is one too: the thread that
 * handles an acknowledgement of what the guest read there finds shown_total set.
 */
static void publish_count(struct crossvm_device *dev, uint64_t total)
{
	struct crossvm_device_state *state = dev->state;
	uint64_t acked = state->acked_total;
	uint64_t pending = total - acked;
	uint32_t count = pending < UINT32_MAX ? (uint32_t)pending : UINT32_MAX;

	if (count == 0 || state->shown_total != acked)
		return;
	atomic_store_explicit(&state->shown_total, acked + count, memory_order_release);
	mirror_value(dev, CROSSVM_REG_EVENT_COUNT, count);
}

/*
 * The mirror shows everything by now, so it may interrupt. Sequentially consistent: a thread looks at
 * what else decides on an interrupt after this, and the guest's thread changes that before it looks
 * here. One of the two sees what the other has done.
 */
static void mark_mirrored(struct crossvm_device_state *state)
{
	if (state->mirrored_total != state->shown_total)
		state->mirrored_total = state->shown_total;
	if (state->mirrored_generation != state->shown_generation)
		state->mirrored_generation = state->shown_generation;
}

/*
 * Every event and every acknowledgement comes this way, so it says what there is to say and no
 * more. The mirror's total is the latched one always.
 */
void crossvm_registers_publish(struct crossvm_device *dev, uint64_t total)
{
	struct crossvm_device_state *state = dev->state;

	publish_count(dev, total);
	if (crossvm_peers_pending(state) && state->shown_generation == state->acked_generation)
		state->shown_generation = state->generation;
	if (state->latched_total != total) {
		state->latched_total = total;
		mirror_value(dev, CROSSVM_REG_TOTAL_EVENTS, (uint32_t)total);
		mirror_value(dev, CROSSVM_REG_TOTAL_EVENTS + 4, (uint32_t)(total >> 32));
	}
	mirror_value(dev, CROSSVM_REG_PENDING, pending_bits(state));
	mark_mirrored(state);
}

void crossvm_registers_fill(struct crossvm_device *dev)
{
	if (crossvm_reads_trap(dev->state))
		return;
	for (uint32_t reg = 0; reg < CROSSVM_REG_END; reg += 4)
		mirror_register(dev, reg);
}

static uint32_t read_register(struct crossvm_device *dev, uint32_t reg)
{
	const uint32_t *mirror = dev->mirror;

	if (!crossvm_reads_trap(dev->state))
		return __atomic_load_n(&mirror[reg / 4], __ATOMIC_ACQUIRE);
	show_register(dev->state, reg);
	return register_value(dev->state, reg);
}

/* The part of an access that falls on one register: bytes from..to of the register. */
struct part {
	uint32_t from;
	uint32_t to;
	size_t at; /* of the first, in the access's data */
};

/* The guest's first access since reset: from now on somebody answers an interrupt. */
static void attend(struct crossvm_device *dev)
{
	if (dev->state->attended)
		return;
	dev->state->attended = 1;
	crossvm_tell_interrupt_changed(dev);
}

/* Where an access ends, as far as registers go. */
static uint64_t end_of(uint32_t offset, size_t bytes)
{
	return (uint64_t)offset + (bytes < CROSSVM_REG_END ? bytes : CROSSVM_REG_END);
}

static struct part part_of(uint32_t reg, uint32_t offset, uint64_t end)
{
	struct part part = {
		.from = offset > reg ? offset - reg : 0,
		.to = end < reg + 4 ? (uint32_t)(end - reg) : 4,
		.at = offset > reg ? 0 : reg - offset,
	};

	return part;
}

void crossvm_device_registers_read(struct crossvm_device *dev, uint32_t offset, void *data,
				   size_t bytes)
{
	uint64_t end = end_of(offset, bytes);
	uint8_t *out = data;

	__builtin_memset(out, 0, bytes);
	if (bytes == 0 || offset >= CROSSVM_REG_END)
		return;
	attend(dev);
	for (uint32_t reg = offset & ~3u; reg < CROSSVM_REG_END && reg < end; reg += 4) {
		uint32_t value = read_register(dev, reg);
		struct part part = part_of(reg, offset, end);

		__builtin_memcpy(out + part.at, (uint8_t *)&value + part.from, part.to - part.from);
	}
}

static uint32_t control_bits(const struct crossvm_device_options *options)
{
	return CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_PEER_CHANGES |
	       (options->doorbell ? CROSSVM_CONTROL_DOORBELL : 0);
}

static void write_control(struct crossvm_device *dev, const uint8_t *in, struct part part)
{
	uint32_t value = dev->state->control;

	__builtin_memcpy((uint8_t *)&value + part.from, in + part.at, part.to - part.from);
	value &= control_bits(&dev->state->options);
	dev->state->control = value;
	if (!crossvm_reads_trap(dev->state))
		mirror_value(dev, CROSSVM_REG_CONTROL, value);
	crossvm_publish(dev);
	if (dev->ops && dev->ops->control_changed)
		dev->ops->control_changed(dev->context, value);
	crossvm_tell_interrupt_changed(dev);
}

static void acknowledge(struct crossvm_device *dev, bool peers_too)
{
	struct crossvm_device_state *state = dev->state;

	/* First, for the next count may be shown from the moment on that acked_total says so. */
	if (!crossvm_reads_trap(state))
		mirror_value(dev, CROSSVM_REG_EVENT_COUNT, 0);
	state->acked_total = state->shown_total;
	if (peers_too)
		state->acked_generation = state->shown_generation;
	crossvm_publish(dev);
	crossvm_tell_interrupt_changed(dev);
}

static inline void write_register(struct crossvm_device *dev, uint32_t reg, const uint8_t *in,
				  struct part part)
{
	switch (reg) {
	case CROSSVM_REG_EMIT:
		if (dev->ops && dev->ops->emit)
			dev->ops->emit(dev->context);
		break;
	case CROSSVM_REG_EVENT_COUNT:
		acknowledge(dev, false);
		break;
	case CROSSVM_REG_CONTROL:
		write_control(dev, in, part);
		break;
	case CROSSVM_REG_PENDING:
		acknowledge(dev, true);
		break;
	default:
		break;
	}
}

/* Any write. Not inlined, so that what drivers do need not save registers for it. */
static __attribute__((noinline)) void write_parts(struct crossvm_device *dev, uint32_t offset,
						  const void *data, size_t bytes)
{
	uint64_t end = end_of(offset, bytes);

	attend(dev);
	for (uint32_t reg = offset & ~3u; reg < CROSSVM_REG_END && reg < end; reg += 4)
		write_register(dev, reg, data, part_of(reg, offset, end));
}

void crossvm_device_registers_write(struct crossvm_device *dev, uint32_t offset, const void *data,
				    size_t bytes)
{
	if (bytes == 0 || offset >= CROSSVM_REG_END)
		return;
	/* What drivers do, and every emit. */
	if (bytes == 4 && offset % 4 == 0 && dev->state->attended)
		write_register(dev, offset, data, (struct part){.to = 4});
	else
		write_parts(dev, offset, data, bytes);
}
