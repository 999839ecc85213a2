// SPDX-License-Identifier: BSD-2-Clause
/* Where only writes trap, the guest reads a page that the device keeps up to date. */
#include "tests/device/rig.h"

static void start_mirrored(struct rig *rig)
{
	struct crossvm_device_options options = rig_options(CROSSVM_LAYOUT_SINGLE);

	options.reads_untrapped = true;
	rig_start_with(rig, &options);
}

static uint32_t seen(const struct rig *rig, uint32_t reg)
{
	return rig->mirror[reg / 4];
}

static void everything_is_there_from_the_start(void **state)
{
	struct rig rig[1];

	(void)state;
	start_mirrored(rig);
	assert_string_equal((const char *)rig->mirror + CROSSVM_REG_NAME, "telemetry");
	assert_int_equal(seen(rig, CROSSVM_REG_MAGIC), CROSSVM_ABI_MAGIC);
	assert_int_equal(seen(rig, CROSSVM_REG_VERSION), CROSSVM_ABI_VERSION);
	assert_int_equal(seen(rig, CROSSVM_REG_FEATURES),
			 CROSSVM_FEATURE_STATUS_PAGE | CROSSVM_FEATURE_PEERS |
				 CROSSVM_FEATURE_DATAPORT | CROSSVM_FEATURE_WRITERS);
	assert_int_equal(seen(rig, CROSSVM_REG_CONNECTION_ID), 0x12345);
	assert_int_equal(seen(rig, CROSSVM_REG_MEMBER_ID), 1);
	assert_int_equal(seen(rig, CROSSVM_REG_MEMBER_COUNT), 3);
	assert_int_equal(seen(rig, CROSSVM_REG_ACCESS), 3);
	assert_int_equal(seen(rig, CROSSVM_REG_STATUS_OFFSET), 0x1000);
	assert_int_equal(seen(rig, CROSSVM_REG_DATAPORT_BYTES), 3 << 20);
	for (uint32_t reg = CROSSVM_REG_END; reg < CROSSVM_PAGE_BYTES; reg += 4)
		assert_int_equal(seen(rig, reg), 0);
}

static void live_registers_follow(void **state)
{
	struct rig rig[1];

	(void)state;
	start_mirrored(rig);
	crossvm_device_events_add(&rig->dev, 0x500000003);
	assert_int_equal(seen(rig, CROSSVM_REG_TOTAL_EVENTS), 3);
	assert_int_equal(seen(rig, CROSSVM_REG_TOTAL_EVENTS + 4), 5);
	assert_int_equal(seen(rig, CROSSVM_REG_PENDING), CROSSVM_PENDING_EVENTS);
	put(rig, CROSSVM_REG_CONTROL, 0xffffffff);
	assert_int_equal(seen(rig, CROSSVM_REG_CONTROL), 3);
	assert_true(crossvm_device_peer_set(&rig->dev, 0, (struct crossvm_peer_status){3, 1}));
	assert_int_equal(seen(rig, CROSSVM_REG_PENDING), 3);
	/* Frozen like the count: one more change stays pending after the acknowledgement. */
	assert_true(crossvm_device_peer_set(&rig->dev, 0, (struct crossvm_peer_status){1, 1}));
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_int_equal(seen(rig, CROSSVM_REG_PENDING) & CROSSVM_PENDING_PEERS,
			 CROSSVM_PENDING_PEERS);
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_int_equal(seen(rig, CROSSVM_REG_PENDING) & CROSSVM_PENDING_PEERS, 0);
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_int_equal(seen(rig, CROSSVM_REG_CONTROL), 0);
}

/* A read that traps after all, say a wide one, gives what the mirror shows. */
static void a_trapped_read_agrees(void **state)
{
	struct rig rig[1];
	uint8_t bytes[CROSSVM_REG_END];

	(void)state;
	start_mirrored(rig);
	crossvm_device_events_add(&rig->dev, 2);
	crossvm_device_events_add(&rig->dev, 2);
	crossvm_device_registers_read(&rig->dev, 0, bytes, sizeof(bytes));
	assert_memory_equal(bytes, rig->mirror, sizeof(bytes));
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 2);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 2);
}

/*
 * Defect 4: a thread has counted an event and is preempted before the pages say so. Meanwhile the
 * guest acknowledges what it sees, and another thread counts one more.
 */
static void what_is_not_published_is_not_acknowledged(void **state)
{
	struct rig rig[1];

	(void)state;
	start_mirrored(rig);
	crossvm_device_events_add(&rig->dev, 1);
	rig->state.total++;
	rig->state.changes++;
	rig->state.publishing = 1;
	put(rig, CROSSVM_REG_PENDING, 1);
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(seen(rig, CROSSVM_REG_EVENT_COUNT), 0);
	assert_false(crossvm_device_intx_level(&rig->dev));
	put(rig, CROSSVM_REG_PENDING, 1);
	/* It goes on. */
	rig->state.publishing = 0;
	crossvm_device_events_add(&rig->dev, 0);
	assert_int_equal(rig->status.total_events, 3);
	assert_int_equal(seen(rig, CROSSVM_REG_EVENT_COUNT), 2);
	assert_int_equal(seen(rig, CROSSVM_REG_PENDING), CROSSVM_PENDING_EVENTS);
	assert_true(crossvm_device_intx_level(&rig->dev));
}

/* A thread is preempted after it has marked an event as shown, and before the mirror shows it. */
static void what_is_not_mirrored_yet_does_not_interrupt(void **state)
{
	struct rig rig[1];

	(void)state;
	start_mirrored(rig);
	crossvm_device_events_add(&rig->dev, 1);
	assert_true(crossvm_device_intx_level(&rig->dev));
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_false(crossvm_device_intx_level(&rig->dev));
	rig->state.total++;
	rig->state.changes++;
	rig->state.publishing = 1;
	rig->state.shown_total = rig->state.total;
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_int_equal(config_get(rig, EVENTS, PCI_STATUS, 2) & 0x8, 0);
	/* Its process dies, and another goes on. */
	crossvm_device_recover(&rig->dev);
	assert_int_equal(seen(rig, CROSSVM_REG_EVENT_COUNT), 1);
	assert_true(crossvm_device_intx_level(&rig->dev));
	/* A reset forgets what was shown, and shows it anew. */
	rig->state.mirrored_total = 0;
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_int_equal(seen(rig, CROSSVM_REG_EVENT_COUNT), 1);
	assert_true(crossvm_device_intx_level(&rig->dev));
	put(rig, CROSSVM_REG_PENDING, 1);
	assert_false(crossvm_device_intx_level(&rig->dev));
}

/* The thread that tells of peers publishes for others too, so it asks for them as well. */
static void peers_interrupt_for_events_they_published(void **state)
{
	const struct crossvm_peer_status open = {CROSSVM_PEER_OPEN, 1};
	const struct crossvm_peer_status gone = {CROSSVM_PEER_ABSENT, 1};
	struct rig rig[1];

	(void)state;
	start_mirrored(rig);
	assert_true(crossvm_device_peer_set(&rig->dev, 0, open));
	assert_false(crossvm_device_peer_interrupts(&rig->dev));
	/* An event that was counted while the pages were taken. */
	rig->state.total++;
	assert_true(crossvm_device_peer_set(&rig->dev, 0, gone));
	assert_true(crossvm_device_peer_interrupts(&rig->dev));
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_false(crossvm_device_peer_interrupts(&rig->dev));
	put(rig, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_PEER_CHANGES);
	assert_true(crossvm_device_peer_interrupts(&rig->dev));
	/* Where reads trap, each thread interrupts for its own. */
	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	attend(rig);
	crossvm_device_events_add(&rig->dev, 1);
	assert_true(crossvm_device_peer_set(&rig->dev, 0, open));
	assert_false(crossvm_device_peer_interrupts(&rig->dev));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_there_from_the_start),
		cmocka_unit_test(live_registers_follow),
		cmocka_unit_test(a_trapped_read_agrees),
		cmocka_unit_test(what_is_not_published_is_not_acknowledged),
		cmocka_unit_test(what_is_not_mirrored_yet_does_not_interrupt),
		cmocka_unit_test(peers_interrupt_for_events_they_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
