// SPDX-License-Identifier: BSD-2-Clause
/* A device's beginning, reset, and return after the death of its process. */
#include "device/internal.h"

#define MAX_SINGLE_DATAPORT_BYTES (1ull << 31)

static bool has_nul(const char *name)
{
	for (size_t i = 0; i < CROSSVM_NAME_BYTES; i++)
		if (name[i] == '\0')
			return true;
	return false;
}

static const char *check_dataport(const struct crossvm_device_options *options)
{
	uint64_t bytes = options->dataport_bytes;

	if (bytes == 0)
		return NULL;
	if (bytes % CROSSVM_PAGE_BYTES != 0)
		return "the dataport is not a whole number of pages";
	if (bytes > CROSSVM_MAX_DATAPORT_BYTES)
		return "the dataport is larger than 4 GiB";
	if (options->layout == CROSSVM_LAYOUT_SINGLE && bytes > MAX_SINGLE_DATAPORT_BYTES)
		return "in the single layout, whose dataport has a 32-bit BAR, a dataport is at "
		       "most "
		       "2 GiB";
	if (!(options->access & CROSSVM_ACCESS_READ))
		return "a member may not even read the dataport";
	return NULL;
}

const char *crossvm_device_options_check(const struct crossvm_device_options *options)
{
	if (options->layout != CROSSVM_LAYOUT_SPLIT && options->layout != CROSSVM_LAYOUT_SINGLE)
		return "the layout is unknown";
	if (!has_nul(options->name))
		return "the name is longer than 47 bytes";
	if (options->name[0] == '\0')
		return "the name is empty";
	if (options->connection_id == 0)
		return "the connection id is 0";
	if (options->member_count == 0 || options->member_count > CROSSVM_MAX_MEMBERS)
		return "the number of members is not 1 to 64";
	if (options->member_id >= options->member_count)
		return "the member id is not below the number of members";
	if (options->access & ~(CROSSVM_ACCESS_READ | CROSSVM_ACCESS_WRITE))
		return "the access has unknown bits";
	if (options->member_count < CROSSVM_MAX_MEMBERS &&
	    options->writers >> options->member_count != 0)
		return "the writers are more than the members";
	if (options->doorbell && options->layout == CROSSVM_LAYOUT_SINGLE)
		return "there is no doorbell in the single layout";
	if (options->doorbell && options->member_count != CROSSVM_DOORBELL_MEMBERS)
		return "a doorbell joins just two members";
	if (options->doorbell && options->connection_id > CROSSVM_DOORBELL_MAX_CONNECTION_ID)
		return "a connection with a doorbell has an id of at most 32767";
	return check_dataport(options);
}

/* As strncpy does it, with a NUL always: bytes after the NUL are zero, whatever they were. */
static void copy_name(char *to, const char *from)
{
	size_t i = 0;

	for (; i < CROSSVM_NAME_MAX && from[i] != '\0'; i++)
		to[i] = from[i];
	for (; i < CROSSVM_NAME_BYTES; i++)
		to[i] = '\0';
}

uint32_t crossvm_features(const struct crossvm_device_options *options)
{
	uint32_t features = CROSSVM_FEATURE_STATUS_PAGE;

	if (options->peers)
		features |= CROSSVM_FEATURE_PEERS;
	if (options->dataport_bytes != 0)
		features |= CROSSVM_FEATURE_DATAPORT;
	if (options->writers)
		features |= CROSSVM_FEATURE_WRITERS;
	if (options->doorbell)
		features |= CROSSVM_FEATURE_DOORBELL;
	return features;
}

static void fill_pages(struct crossvm_device *dev)
{
	crossvm_status_fill(dev);
	crossvm_registers_fill(dev);
	crossvm_publish(dev);
}

const char *crossvm_device_state_init(struct crossvm_device_state *state,
				      struct crossvm_status_page *status, void *mirror,
				      const struct crossvm_device_options *options)
{
	struct crossvm_device dev = {.state = state, .status = status, .mirror = mirror};
	const char *wrong = crossvm_device_options_check(options);

	if (wrong)
		return wrong;
	if (options->reads_untrapped && !mirror)
		return "the guest is to read registers from a mirror, but there is none";
	__builtin_memset(state, 0, sizeof(*state));
	state->options = *options;
	copy_name(state->options.name, options->name);
	state->attended = !crossvm_reads_trap(state);
	crossvm_config_init(state, CROSSVM_FUNCTION_EVENTS);
	crossvm_config_init(state, CROSSVM_FUNCTION_MEMORY);
	fill_pages(&dev);
	return NULL;
}

static void reset_registers(struct crossvm_device *dev)
{
	struct crossvm_device_state *state = dev->state;

	state->shown_total = state->acked_total;
	state->shown_generation = state->acked_generation;
	state->mirrored_total = state->shown_total;
	state->mirrored_generation = state->shown_generation;
	state->latched_total = 0;
	state->control = 0;
	state->attended = !crossvm_reads_trap(state);
	if (dev->ops && dev->ops->control_changed)
		dev->ops->control_changed(dev->context, 0);
}

void crossvm_device_reset(struct crossvm_device *dev, enum crossvm_function function)
{
	if ((unsigned int)function >= crossvm_device_function_count(dev->state))
		return;
	crossvm_config_init(dev->state, function);
	if (function == CROSSVM_FUNCTION_EVENTS)
		reset_registers(dev);
	fill_pages(dev);
	if (function == CROSSVM_FUNCTION_EVENTS)
		crossvm_tell_interrupt_changed(dev);
}

void crossvm_device_recover(struct crossvm_device *dev)
{
	dev->state->publishing = 0;
	crossvm_config_update_intx(dev->state);
	fill_pages(dev);
}
