// SPDX-License-Identifier: BSD-2-Clause
/*
 * INTA and its bits in COMMAND and STATUS (defect 11: COMMAND had no effect), and MSI, which takes
 * INTA's place.
 */
#include "tests/device/rig.h"

static bool status_bit(struct rig *rig)
{
	return config_get(rig, EVENTS, PCI_STATUS, 2) & 0x8;
}

static void acknowledge(struct rig *rig)
{
	get(rig, CROSSVM_REG_EVENT_COUNT);
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
}

static void level_follows_events(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	attend(rig);
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_false(status_bit(rig));
	crossvm_device_events_add(&rig->dev, 1);
	assert_true(crossvm_device_intx_level(&rig->dev));
	assert_true(status_bit(rig));
	/* The memory function has no interrupt. */
	assert_int_equal(config_get(rig, MEMORY, PCI_STATUS, 2), 0);
	acknowledge(rig);
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_false(status_bit(rig));
	assert_int_equal(rig->interrupt_changes, 1);
}

static void intx_disable_hides_the_level_and_not_the_status(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	attend(rig);
	crossvm_device_events_add(&rig->dev, 1);
	config_put(rig, EVENTS, PCI_COMMAND, 0x0400, 2);
	assert_int_equal(rig->interrupt_changes, 1);
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_true(status_bit(rig));
	config_put(rig, EVENTS, PCI_COMMAND + 1, 0x00, 1); /* the byte with the bit suffices */
	assert_int_equal(rig->interrupt_changes, 2);
	assert_true(crossvm_device_intx_level(&rig->dev));
	/* Writing STATUS does nothing. */
	config_put(rig, EVENTS, PCI_STATUS, 0xffff, 2);
	assert_true(status_bit(rig));
}

static void command_keeps_three_bits(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	attend(rig);
	assert_int_equal(crossvm_device_command(&rig->state, EVENTS), 0);
	config_put(rig, EVENTS, PCI_COMMAND, 0xffff, 2);
	config_put(rig, MEMORY, PCI_COMMAND, 0xffff, 2);
	assert_int_equal(crossvm_device_command(&rig->state, EVENTS), 0x0406);
	assert_int_equal(crossvm_device_command(&rig->state, MEMORY), 0x0406);
}

static void msi_is_one_64_bit_vector(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	attend(rig);
	assert_int_equal(config_get(rig, EVENTS, PCI_STATUS, 2), 0x10);
	assert_int_equal(config_get(rig, EVENTS, 0x34, 1), 0x40);
	assert_int_equal(config_get(rig, EVENTS, 0x40, 4), 0x00800005); /* the last capability */
	config_put(rig, EVENTS, 0x44, 0xfee01003, 4);
	config_put(rig, EVENTS, 0x48, 0x00000001, 4);
	config_put(rig, EVENTS, 0x4c, 0xffff4021, 4);
	config_put(rig, EVENTS, 0x42, 0xffff, 2);
	assert_int_equal(config_get(rig, EVENTS, 0x40, 4), 0x00810005);
	assert_int_equal(config_get(rig, EVENTS, 0x44, 4), 0xfee01000);
	assert_int_equal(config_get(rig, EVENTS, 0x48, 4), 1);
	assert_int_equal(config_get(rig, EVENTS, 0x4c, 4), 0x4021);
	/* The memory function has no capability. */
	assert_int_equal(config_get(rig, MEMORY, 0x34, 1), 0);
}

static void enabled_msi_keeps_inta_quiet(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	attend(rig);
	crossvm_device_events_add(&rig->dev, 1);
	config_put(rig, EVENTS, 0x42, 1, 2);
	assert_int_equal(rig->interrupt_changes, 1);
	assert_false(crossvm_device_intx_level(&rig->dev));
	config_put(rig, EVENTS, 0x42, 0, 2);
	assert_true(crossvm_device_intx_level(&rig->dev));
}

static void without_the_option_there_is_no_msi(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SINGLE);
	attend(rig);
	assert_int_equal(config_get(rig, EVENTS, PCI_STATUS, 2), 0);
	assert_int_equal(config_get(rig, EVENTS, 0x34, 1), 0);
	config_put(rig, EVENTS, 0x40, 0xffffffff, 4);
	assert_int_equal(config_get(rig, EVENTS, 0x40, 4), 0);
	crossvm_device_events_add(&rig->dev, 1);
	assert_true(crossvm_device_intx_level(&rig->dev));
}

/*
 * Events may come before a driver, or where there is none. The line may be shared; asserted with
 * nobody to answer, it would be switched off for all.
 */
static void a_device_that_nobody_drives_is_quiet(void **state)
{
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	crossvm_device_events_add(&rig->dev, 1);
	config_put(rig, EVENTS, PCI_COMMAND, 0x0406, 2); /* firmware and PCI core do that */
	config_put(rig, EVENTS, PCI_COMMAND, 0x0006, 2);
	put(rig, CROSSVM_REG_END, 0);
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_false(status_bit(rig));
	assert_true(crossvm_device_pending(&rig->dev));
	rig->interrupt_changes = 0;
	get(rig, CROSSVM_REG_NAME);
	assert_int_equal(rig->interrupt_changes, 1);
	assert_true(crossvm_device_intx_level(&rig->dev));
	assert_true(status_bit(rig));
	crossvm_device_reset(&rig->dev, EVENTS);
	assert_false(crossvm_device_intx_level(&rig->dev));
	put(rig, CROSSVM_REG_EMIT, 0);
	assert_true(crossvm_device_intx_level(&rig->dev));
}

static void peer_changes_interrupt_who_asked(void **state)
{
	struct crossvm_peer_status open = {CROSSVM_PEER_OPEN, 1};
	struct rig rig[1];

	(void)state;
	rig_start(rig, CROSSVM_LAYOUT_SPLIT);
	attend(rig);
	assert_false(crossvm_device_wants_peer_changes(&rig->dev));
	assert_true(crossvm_device_peer_set(&rig->dev, 0, open));
	assert_false(crossvm_device_intx_level(&rig->dev));
	assert_int_equal(get(rig, CROSSVM_REG_PENDING), 0);
	put(rig, CROSSVM_REG_PENDING, 0);

	put(rig, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_PEER_CHANGES);
	assert_true(crossvm_device_wants_peer_changes(&rig->dev));
	assert_true(crossvm_device_intx_level(&rig->dev)); /* the change from before */
	crossvm_device_events_add(&rig->dev, 1);
	assert_int_equal(get(rig, CROSSVM_REG_PENDING),
			 CROSSVM_PENDING_EVENTS | CROSSVM_PENDING_PEERS);
	/* The count acknowledges events only. */
	put(rig, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(get(rig, CROSSVM_REG_PENDING), CROSSVM_PENDING_PEERS);
	/* A change between reading and acknowledging stays pending. */
	open.incarnation = 2;
	assert_true(crossvm_device_peer_set(&rig->dev, 0, open));
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_true(crossvm_device_intx_level(&rig->dev));
	assert_int_equal(get(rig, CROSSVM_REG_PENDING), CROSSVM_PENDING_PEERS);
	put(rig, CROSSVM_REG_PENDING, 0);
	assert_false(crossvm_device_intx_level(&rig->dev));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(level_follows_events),
		cmocka_unit_test(intx_disable_hides_the_level_and_not_the_status),
		cmocka_unit_test(command_keeps_three_bits),
		cmocka_unit_test(msi_is_one_64_bit_vector),
		cmocka_unit_test(enabled_msi_keeps_inta_quiet),
		cmocka_unit_test(without_the_option_there_is_no_msi),
		cmocka_unit_test(a_device_that_nobody_drives_is_quiet),
		cmocka_unit_test(peer_changes_interrupt_who_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
