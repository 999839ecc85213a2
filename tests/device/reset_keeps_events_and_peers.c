// SPDX-License-Identifier: BSD-2-Clause
/* Reset, and the return of a state whose process died. */
#include "tests/device/rig.h"

static const struct crossvm_peer_status open_peer = {CROSSVM_PEER_OPEN, 4};

static void scribble(struct rig *rig)
{
	memset(&rig->status, 0x5a, sizeof(rig->status));
}

static void assert_status_is_whole(struct rig *rig, uint64_t total)
{
	const struct crossvm_status_page *status = &rig->status;

	assert_int_equal(status->magic, CROSSVM_ABI_MAGIC);
	assert_int_equal(status->version, CROSSVM_ABI_VERSION);
	assert_int_equal(status->connection_id, 0x12345);
	assert_int_equal(status->member_id, 1);
	assert_int_equal(status->member_count, 3);
	assert_int_equal(status->access, 3);
	assert_int_equal(status->features, 15);
	assert_int_equal(status->dataport_bytes, 3 << 20);
	assert_int_equal(status->writers, 6);
	assert_string_equal((const char *)status->name, "telemetry");
	assert_int_equal(status->total_events, total);
	assert_int_equal(status->generation, 1);
	assert_int_equal(status->peers[2].state, CROSSVM_PEER_OPEN);
	assert_int_equal(status->peers[2].incarnation, 4);
	assert_string_equal((const char *)status->peer_names[2], "logger");
	assert_int_equal(status->peers[0].state, CROSSVM_PEER_UNKNOWN);
	assert_int_equal(status->peers[63].state, CROSSVM_PEER_UNKNOWN);
	assert_int_equal(status->peer_names[63][0], 0);
}

static void use(struct rig *rig)
{
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_peer_name(&rig->dev, 2, "logger");
	assert_true(crossvm_device_peer_set(&rig->dev, 2, open_peer));
	crossvm_device_events_add(&rig->dev, 3);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 3);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	crossvm_device_events_add(&rig->dev, 2);
	get(rig, CROSSVM_REG_EVENT_COUNT);
	put(rig, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
	config_put(rig, EVENTS, PCI_COMMAND, 0x0406, 2);
	config_put(rig, EVENTS, PCI_BAR(0), 0xfe000000, 4);
	config_put(rig, EVENTS, PCI_INTERRUPT_LINE, 11, 1);
}

static void reset_is_power_on_but_for_events_and_peers(void **state)
{
	struct rig rig[1];

	(void)state;
	use(rig);
	scribble(rig);
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_int_equal(crossvm_device_command(&rig->state, EVENTS), 0);
	assert_int_equal(crossvm_device_bar_address(&rig->state, EVENTS, 0), 0);
	assert_int_equal(config_get(rig, EVENTS, PCI_INTERRUPT_LINE, 1), 0);
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), 0);
	assert_int_equal(rig->control_changes, 2);
	assert_int_equal(rig->last_control, 0);
	assert_status_is_whole(rig, 5);
	/* What the guest read before the reset, it has not acknowledged. */
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(get(rig, CROSSVM_REG_EVENT_COUNT), 2);
	assert_true(crossvm_device_pending(&rig->dev));
}

static void functions_are_reset_each_on_its_own(void **state)
{
	struct rig rig[1];

	(void)state;
	use(rig);
	config_put(rig, MEMORY, PCI_COMMAND, 0x0002, 2);
	config_put(rig, MEMORY, PCI_BAR(0), 0xfe001000, 4);
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_int_equal(crossvm_device_command(&rig->state, MEMORY), 0x0002);
	assert_int_equal(crossvm_device_bar_address(&rig->state, MEMORY, 0), 0xfe001000);

	use(rig);
	config_put(rig, MEMORY, PCI_COMMAND, 0x0002, 2);
	scribble(rig);
	crossvm_device_reset(&rig->dev, MEMORY);
	assert_int_equal(crossvm_device_command(&rig->state, MEMORY), 0);
	assert_int_equal(crossvm_device_command(&rig->state, EVENTS), 0x0406);
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), CROSSVM_CONTROL_OPEN);
	assert_int_equal(rig->control_changes, 1);
	assert_status_is_whole(rig, 5);

	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	put(rig, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
	crossvm_device_reset(&rig->dev, MEMORY); /* not there */
	assert_int_equal(get(rig, CROSSVM_REG_CONTROL), CROSSVM_CONTROL_OPEN);
}

static void reset_twice_is_as_once(void **state)
{
	struct rig rig[1];
	struct crossvm_function_state once[CROSSVM_FUNCTION_COUNT];

	(void)state;
	use(rig);
	crossvm_device_reset(&rig->dev, EVENTS);
	memcpy(once, rig->state.functions, sizeof(once));
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_memory_equal(once, rig->state.functions, sizeof(once));
	assert_status_is_whole(rig, 5);
}

/* A process that died while it published has left the pages behind, and marked as taken. */
static void recovery_completes_what_was_left_half_done(void **state)
{
	struct rig rig[1];

	(void)state;
	use(rig);
	rig->state.publishing = 1;
	rig->state.total = 9;
	rig->state.intx_off = 0; /* COMMAND was stored, what follows from it was not */
	scribble(rig);
	crossvm_device_recover(&rig->dev);
	assert_status_is_whole(rig, 9);
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_int_equal(crossvm_device_command(&rig->state, EVENTS), 0x0406);
	assert_int_equal(rig->state.control, CROSSVM_CONTROL_OPEN);
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(rig->status.total_events, 10);
}

static void a_peer_change_that_was_cut_off_is_repeated(void **state)
{
	struct crossvm_peer_status present = {CROSSVM_PEER_PRESENT, 4};
	struct rig rig[1];

	(void)state;
	use(rig);
	rig->status.peers[2] = present; /* stored, and then the process died */
	crossvm_device_recover(&rig->dev);
	assert_status_is_whole(rig, 5);
	assert_true(crossvm_device_peer_set(&rig->dev, 2, present));
	assert_int_equal(rig->status.generation, 2);
	assert_int_equal(rig->status.peers[2].state, CROSSVM_PEER_PRESENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_is_power_on_but_for_events_and_peers),
		cmocka_unit_test(functions_are_reset_each_on_its_own),
		cmocka_unit_test(reset_twice_is_as_once),
		cmocka_unit_test(recovery_completes_what_was_left_half_done),
		cmocka_unit_test(a_peer_change_that_was_cut_off_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
