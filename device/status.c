// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events and peers: recorded in the state, then published in the status page, which the guest may
 * overwrite and we therefore never read.
 */
#include "device/internal.h"

/* Copy a name in words, all that device memory takes. */
static void publish_name(uint8_t *to, const void *from)
{
	uint32_t words[CROSSVM_NAME_BYTES / 4];
	uint32_t *to_words = (void *)to;

	__builtin_memcpy(words, from, sizeof(words));
	for (size_t i = 0; i < CROSSVM_NAME_BYTES / 4; i++)
		__atomic_store_n(&to_words[i], words[i], __ATOMIC_RELAXED);
}

/* Both words in one store, so that nobody sees a state with the incarnation of another. */
static void publish_peer(struct crossvm_peer_status *to, struct crossvm_peer_status from)
{
	uint64_t both;

	__builtin_memcpy(&both, &from, sizeof(both));
	__atomic_store_n((uint64_t *)(void *)to, both, __ATOMIC_RELAXED);
}

void crossvm_status_fill(struct crossvm_device *dev)
{
	const struct crossvm_device_options *options = &dev->state->options;
	struct crossvm_status_page *status = dev->status;

	__atomic_store_n(&status->magic, CROSSVM_ABI_MAGIC, __ATOMIC_RELAXED);
	__atomic_store_n(&status->version, CROSSVM_ABI_VERSION, __ATOMIC_RELAXED);
	__atomic_store_n(&status->connection_id, options->connection_id, __ATOMIC_RELAXED);
	__atomic_store_n(&status->member_id, options->member_id, __ATOMIC_RELAXED);
	__atomic_store_n(&status->member_count, options->member_count, __ATOMIC_RELAXED);
	__atomic_store_n(&status->access, options->access, __ATOMIC_RELAXED);
	__atomic_store_n(&status->features, crossvm_features(options), __ATOMIC_RELAXED);
	__atomic_store_n(&status->dataport_bytes, options->dataport_bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&status->writers, options->writers, __ATOMIC_RELAXED);
	__atomic_store_n(&status->listeners, dev->state->listeners, __ATOMIC_RELAXED);
	publish_name(status->name, options->name);
	for (uint32_t i = 0; i < CROSSVM_MAX_MEMBERS; i++) {
		publish_peer(&status->peers[i], dev->state->peers[i]);
		publish_name(status->peer_names[i], dev->state->peer_names[i]);
	}
}

static void publish_once(struct crossvm_device *dev)
{
	struct crossvm_device_state *state = dev->state;
	struct crossvm_status_page *status = dev->status;
	uint64_t total = state->total;

	/* Release: pairs with the guest's acquire, so it sees what came before the event. */
	__atomic_store_n(&status->total_events, total, __ATOMIC_RELEASE);
	/* Release: the entries of peers[] that changed are seen before the new generation. */
	__atomic_store_n(&status->generation, state->generation, __ATOMIC_RELEASE);
	if (!crossvm_reads_trap(state))
		crossvm_registers_publish(dev, total);
}

/*
 * One thread at a time publishes, so that the pages never go back to older values. A thread that finds
 * the pages taken does not wait: it has counted its change before it looked, and the thread that has
 * taken them looks at that count after it has given them back. So:
 *
 * 1. Whatever a thread recorded before this call, some thread publishes after it was recorded: this
 *    one, or one that had taken the pages when this one found them taken.
 *
 * Where reads trap, publishing changes nothing about interrupts: the guest reads the state itself, and
 * the thread that recorded something interrupts for it. Where there is a mirror, a change interrupts
 * only once the mirror shows it (see crossvm_is_pending()). The thread that recorded it may have
 * returned by then and found nothing to interrupt for. Therefore:
 *
 * 2. Every thread asks crossvm_device_intx_level() after this call, and interrupts if it says so. The
 *    thread that publishes the change of 1 does so after publishing: it finds the change shown and
 *    interrupts, unless the guest has acknowledged it already. No other thread needs to know.
 * 3. While an earlier event, or change of peers, is shown and not acknowledged, a new one of its kind
 *    is not shown. The guest has an interrupt to come for the earlier one. When the guest acknowledges
 *    it, 1 and 2 hold for that acknowledgement, which is recorded and published like any change.
 *
 * Who asks: after an acknowledgement, CONTROL and reset, interrupt_changed, which runs right after this
 * call; after crossvm_device_events_*() and crossvm_device_peer_set(), their caller. device.h demands
 * it. crossvm_device_recover() demands an interrupt in any case. crossvm_device_listener_set()
 * publishes nothing of others.
 *
 * No thread interrupts for what the mirror does not show yet, so a guest is never interrupted again and
 * again while the thread that publishes is kept from running.
 */
void crossvm_publish(struct crossvm_device *dev)
{
	struct crossvm_device_state *state = dev->state;
	uint32_t seen;

	atomic_fetch_add(&state->changes, 1);
	do {
		if (atomic_exchange(&state->publishing, 1) != 0)
			return;
		seen = state->changes;
		publish_once(dev);
		state->publishing = 0;
	} while (state->changes != seen);
}

void crossvm_device_events_add(struct crossvm_device *dev, uint64_t count)
{
	uint64_t total = dev->state->total;
	uint64_t next;

	do
		next = count > UINT64_MAX - total ? UINT64_MAX : total + count;
	while (!atomic_compare_exchange_weak(&dev->state->total, &total, next));
	crossvm_publish(dev);
}

bool crossvm_device_events_set(struct crossvm_device *dev, uint64_t total)
{
	uint64_t before = dev->state->total;

	do {
		if (before >= total)
			return false;
	} while (!atomic_compare_exchange_weak(&dev->state->total, &before, total));
	crossvm_publish(dev);
	return true;
}

bool crossvm_device_peer_set(struct crossvm_device *dev, uint32_t member_id,
			     struct crossvm_peer_status status)
{
	struct crossvm_device_state *state = dev->state;
	struct crossvm_peer_status *known;

	if (member_id >= state->options.member_count)
		return false;
	known = &state->peers[member_id];
	if (known->state == status.state && known->incarnation == status.incarnation)
		return false;
	publish_peer(&dev->status->peers[member_id], status);
	state->generation++;
	crossvm_publish(dev);
	/* Last, so that a repetition by another process completes what this one did not. */
	*known = status;
	return true;
}

void crossvm_device_peer_name(struct crossvm_device *dev, uint32_t member_id, const char *name)
{
	char *known;
	size_t i = 0;

	if (member_id >= dev->state->options.member_count)
		return;
	known = (char *)dev->state->peer_names[member_id];
	for (; i < CROSSVM_NAME_MAX && name[i] != '\0'; i++)
		known[i] = name[i];
	__builtin_memset(known + i, 0, CROSSVM_NAME_BYTES - i);
	publish_name(dev->status->peer_names[member_id], known);
}

void crossvm_device_listener_set(struct crossvm_device *dev, uint32_t member_id, bool listens)
{
	struct crossvm_device_state *state = dev->state;
	uint64_t bit;

	if (member_id >= state->options.member_count)
		return;
	bit = UINT64_C(1) << member_id;
	state->listeners = (state->listeners & ~bit) | (listens ? bit : 0);
	__atomic_store_n(&dev->status->listeners, state->listeners, __ATOMIC_SEQ_CST);
}

bool crossvm_device_intx_level(struct crossvm_device *dev)
{
	const struct crossvm_device_state *state = dev->state;

	return state->attended && !state->intx_off && crossvm_is_pending(state);
}

bool crossvm_device_pending(struct crossvm_device *dev)
{
	return crossvm_is_pending(dev->state);
}

bool crossvm_device_wants_peer_changes(struct crossvm_device *dev)
{
	return dev->state->control & CROSSVM_CONTROL_PEER_CHANGES;
}

bool crossvm_device_peer_interrupts(struct crossvm_device *dev)
{
	return crossvm_device_wants_peer_changes(dev) ||
	       (!crossvm_reads_trap(dev->state) && crossvm_device_intx_level(dev));
}
