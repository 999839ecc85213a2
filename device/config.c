// SPDX-License-Identifier: BSD-2-Clause
/*
 * Config space. Each function has the bytes that a read returns and a mask of the bits that a write
 * changes. The masks alone make BARs size and relocate: their low bits cannot be written, so a
 * guest that stores all ones reads back the size.
 */
#include "device/internal.h"

#define PCI_VENDOR_ID        0x00u
#define PCI_DEVICE_ID        0x02u
#define PCI_COMMAND          0x04u
#define PCI_STATUS           0x06u
#define PCI_REVISION         0x08u /* and the three bytes of the class code */
#define PCI_HEADER_TYPE      0x0eu
#define PCI_BAR0             0x10u
#define PCI_SUBSYSTEM_VENDOR 0x2cu
#define PCI_SUBSYSTEM_ID     0x2eu
#define PCI_CAPABILITIES     0x34u
#define PCI_INTERRUPT_LINE   0x3cu
#define PCI_INTERRUPT_PIN    0x3du
#define PCI_BARS             6u

#define PCI_COMMAND_MEMORY       0x0002u
#define PCI_COMMAND_MASTER       0x0004u
#define PCI_COMMAND_INTX_DISABLE 0x0400u

#define PCI_STATUS_INTERRUPT    0x0008u
#define PCI_STATUS_CAPABILITIES 0x0010u

#define PCI_MULTIFUNCTION 0x80u
#define PCI_PIN_INTA      1u

#define PCI_BAR_FLAGS        0x0fu
#define PCI_BAR_64           0x04u
#define PCI_BAR_PREFETCHABLE 0x08u

/* The MSI capability: one vector, 64-bit address, no masking. */
#define MSI_OFFSET        0x40u
#define MSI_CONTROL       (MSI_OFFSET + 2u)
#define MSI_ADDRESS       (MSI_OFFSET + 4u)
#define MSI_ADDRESS_HIGH  (MSI_OFFSET + 8u)
#define MSI_DATA          (MSI_OFFSET + 12u)
#define MSI_ID            0x05u
#define MSI_CONTROL_64    0x0080u
#define MSI_CONTROL_START 0x0001u

static uint16_t get16(const uint8_t *bytes, uint32_t offset)
{
	uint16_t value;

	__builtin_memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static uint32_t get32(const uint8_t *bytes, uint32_t offset)
{
	uint32_t value;

	__builtin_memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static void put16(uint8_t *bytes, uint32_t offset, uint32_t value)
{
	uint16_t narrow = (uint16_t)value;

	__builtin_memcpy(bytes + offset, &narrow, sizeof(narrow));
}

static void put32(uint8_t *bytes, uint32_t offset, uint32_t value)
{
	__builtin_memcpy(bytes + offset, &value, sizeof(value));
}

static uint32_t bar_offset(unsigned int bar)
{
	return PCI_BAR0 + 4 * bar;
}

/* Change the writable bits. All the bytes must be in config space. */
static void write_bytes(struct crossvm_function_state *f, uint32_t offset, const void *data,
			size_t bytes)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < bytes; i++) {
		uint8_t writable = f->writable[offset + i];
		uint8_t *byte = &f->config[offset + i];

		*byte = (uint8_t)((*byte & ~writable) | (in[i] & writable));
	}
}

static uint64_t round_up_to_power_of_two(uint64_t bytes)
{
	uint64_t power = CROSSVM_PAGE_BYTES;

	while (power < bytes)
		power <<= 1;
	return power;
}

unsigned int crossvm_device_function_count(const struct crossvm_device_state *state)
{
	return crossvm_is_split(state) ? 2 : 1;
}

/* A function that the layout has; NULL otherwise. */
static const struct crossvm_function_state *function_of(const struct crossvm_device_state *state,
							enum crossvm_function function)
{
	unsigned int number = (unsigned int)function;

	return number < crossvm_device_function_count(state) ? &state->functions[number] : NULL;
}

uint64_t crossvm_device_bar_bytes(const struct crossvm_device_state *state,
				  enum crossvm_function function, unsigned int bar)
{
	uint64_t dataport = state->options.dataport_bytes;

	if (!function_of(state, function))
		return 0;
	if (bar == 0)
		return crossvm_is_split(state) ? CROSSVM_PAGE_BYTES
					       : CROSSVM_SINGLE_STATUS_OFFSET + CROSSVM_PAGE_BYTES;
	if (dataport == 0)
		return 0;
	if (crossvm_is_split(state)
		    ? function != CROSSVM_FUNCTION_MEMORY || bar != CROSSVM_BAR_DATAPORT
		    : bar != CROSSVM_SINGLE_BAR_DATAPORT)
		return 0;
	return round_up_to_power_of_two(dataport);
}

static void init_bars(struct crossvm_device_state *state, enum crossvm_function function)
{
	struct crossvm_function_state *f = &state->functions[function];

	for (unsigned int bar = 0; bar < PCI_BARS; bar++) {
		uint64_t bytes = crossvm_device_bar_bytes(state, function, bar);
		uint64_t writable = ~(bytes - 1);
		uint32_t offset = bar_offset(bar);

		if (bytes == 0)
			continue;
		put32(f->writable, offset, (uint32_t)writable);
		if (bar == CROSSVM_SINGLE_BAR_DATAPORT)
			put32(f->config, offset, PCI_BAR_PREFETCHABLE);
		if (bar != CROSSVM_BAR_DATAPORT)
			continue;
		put32(f->config, offset, PCI_BAR_64 | PCI_BAR_PREFETCHABLE);
		put32(f->writable, offset + 4, (uint32_t)(writable >> 32));
	}
}

static void init_msi(struct crossvm_function_state *f)
{
	put16(f->config, PCI_STATUS, PCI_STATUS_CAPABILITIES);
	f->config[PCI_CAPABILITIES] = MSI_OFFSET;
	f->config[MSI_OFFSET] = MSI_ID;
	put16(f->config, MSI_CONTROL, MSI_CONTROL_64);
	put16(f->writable, MSI_CONTROL, MSI_CONTROL_START);
	put32(f->writable, MSI_ADDRESS, ~3u);
	put32(f->writable, MSI_ADDRESS_HIGH, ~0u);
	put16(f->writable, MSI_DATA, 0xffff);
}

static void init_events_function(struct crossvm_device_state *state)
{
	struct crossvm_function_state *f = &state->functions[CROSSVM_FUNCTION_EVENTS];

	if (crossvm_is_split(state))
		f->config[PCI_HEADER_TYPE] = PCI_MULTIFUNCTION;
	f->writable[PCI_INTERRUPT_LINE] = 0xff;
	f->config[PCI_INTERRUPT_PIN] = PCI_PIN_INTA;
	if (state->options.msi)
		init_msi(f);
	crossvm_config_update_intx(state);
}

void crossvm_config_init(struct crossvm_device_state *state, enum crossvm_function function)
{
	struct crossvm_function_state *f = &state->functions[function];
	bool events = function == CROSSVM_FUNCTION_EVENTS;

	if (!function_of(state, function))
		return;
	__builtin_memset(f, 0, sizeof(*f));
	put16(f->config, PCI_VENDOR_ID, CROSSVM_PCI_VENDOR);
	put16(f->config, PCI_DEVICE_ID,
	      events ? CROSSVM_PCI_DEVICE_EVENTS : CROSSVM_PCI_DEVICE_MEMORY);
	put16(f->writable, PCI_COMMAND,
	      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	put32(f->config, PCI_REVISION, CROSSVM_PCI_CLASS << 8 | CROSSVM_PCI_REVISION);
	put16(f->config, PCI_SUBSYSTEM_VENDOR, CROSSVM_PCI_VENDOR);
	put16(f->config, PCI_SUBSYSTEM_ID, state->options.connection_id);
	init_bars(state, function);
	if (events)
		init_events_function(state);
}

void crossvm_config_update_intx(struct crossvm_device_state *state)
{
	const struct crossvm_function_state *f = &state->functions[CROSSVM_FUNCTION_EVENTS];
	bool disabled = get16(f->config, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
	bool msi = state->options.msi && (get16(f->config, MSI_CONTROL) & MSI_CONTROL_START);

	state->intx_off = disabled || msi;
}

bool crossvm_device_bar_is_64bit(const struct crossvm_device_state *state,
				 enum crossvm_function function, unsigned int bar)
{
	if (crossvm_device_bar_bytes(state, function, bar) == 0)
		return false;
	return state->functions[function].config[bar_offset(bar)] & PCI_BAR_64;
}

uint64_t crossvm_device_bar_address(const struct crossvm_device_state *state,
				    enum crossvm_function function, unsigned int bar)
{
	const uint8_t *config;
	uint64_t address;

	if (crossvm_device_bar_bytes(state, function, bar) == 0)
		return 0;
	config = state->functions[function].config;
	address = get32(config, bar_offset(bar));
	if (address & PCI_BAR_64)
		address |= (uint64_t)get32(config, bar_offset(bar) + 4) << 32;
	return address & ~(uint64_t)PCI_BAR_FLAGS;
}

void crossvm_device_bar_assign(struct crossvm_device_state *state, enum crossvm_function function,
			       unsigned int bar, uint64_t address)
{
	uint32_t low = (uint32_t)address;
	uint32_t high = (uint32_t)(address >> 32);

	if (crossvm_device_bar_bytes(state, function, bar) == 0)
		return;
	write_bytes(&state->functions[function], bar_offset(bar), &low, sizeof(low));
	if (crossvm_device_bar_is_64bit(state, function, bar))
		write_bytes(&state->functions[function], bar_offset(bar) + 4, &high, sizeof(high));
}

void crossvm_device_enable(struct crossvm_device_state *state, enum crossvm_function function,
			   uint8_t interrupt_line)
{
	uint8_t command = PCI_COMMAND_MEMORY;

	if (!function_of(state, function))
		return;
	write_bytes(&state->functions[function], PCI_COMMAND, &command, sizeof(command));
	write_bytes(&state->functions[function], PCI_INTERRUPT_LINE, &interrupt_line,
		    sizeof(interrupt_line));
}

uint16_t crossvm_device_command(const struct crossvm_device_state *state,
				enum crossvm_function function)
{
	const struct crossvm_function_state *f = function_of(state, function);

	return f ? get16(f->config, PCI_COMMAND) : 0;
}

/* How many of the bytes at offset are in config space. */
static size_t bytes_inside(uint32_t offset, size_t bytes)
{
	size_t room = offset < CROSSVM_CONFIG_BYTES ? CROSSVM_CONFIG_BYTES - offset : 0;

	return bytes < room ? bytes : room;
}

static uint8_t read_byte(struct crossvm_device *dev, enum crossvm_function function,
			 const struct crossvm_function_state *f, uint32_t offset)
{
	uint8_t byte = f->config[offset];

	if (offset == PCI_STATUS && function == CROSSVM_FUNCTION_EVENTS && dev->state->attended &&
	    crossvm_is_pending(dev->state))
		byte |= PCI_STATUS_INTERRUPT;
	return byte;
}

void crossvm_device_config_read(struct crossvm_device *dev, enum crossvm_function function,
				uint32_t offset, void *data, size_t bytes)
{
	const struct crossvm_function_state *f = function_of(dev->state, function);
	size_t inside = bytes_inside(offset, bytes);
	uint8_t *out = data;

	if (!f) {
		__builtin_memset(out, 0xff, bytes);
		return;
	}
	for (uint32_t i = 0; i < inside; i++)
		out[i] = read_byte(dev, function, f, offset + i);
	__builtin_memset(out + inside, 0, bytes - inside);
}

/* Whether an access of so many bytes at offset touches the 16-bit register reg. */
static bool touches(uint32_t offset, size_t bytes, uint32_t reg)
{
	return offset < reg + 2 && offset + bytes > reg;
}

void crossvm_device_config_write(struct crossvm_device *dev, enum crossvm_function function,
				 uint32_t offset, const void *data, size_t bytes)
{
	size_t inside = bytes_inside(offset, bytes);

	if (!function_of(dev->state, function))
		return;
	write_bytes(&dev->state->functions[function], offset, data, inside);
	if (function != CROSSVM_FUNCTION_EVENTS)
		return;
	if (!touches(offset, inside, PCI_COMMAND) && !touches(offset, inside, MSI_CONTROL))
		return;
	crossvm_config_update_intx(dev->state);
	crossvm_tell_interrupt_changed(dev);
}
