// SPDX-License-Identifier: BSD-2-Clause
/* Emits, with a context (defect 19: there was none) or without, and the guest's state; and peers. */
#include "tests/vmm/fake.h"

#include <errno.h>

static unsigned int plain_emits;

static void count_plain(void)
{
	plain_emits++;
}

struct heard {
	unsigned int emits;
	unsigned int states;
	uint32_t state;
};

static void count_emit(void *context)
{
	((struct heard *)context)->emits++;
}

static void note_state(void *context, uint32_t state)
{
	struct heard *heard = context;

	heard->states++;
	heard->state = state;
}

static const struct crossvm_connection_callbacks both = {count_emit, note_state};
static const struct crossvm_connection_callbacks only_state = {NULL, note_state};

static struct crossvm_vmm_connection *
init(emit_fn emit, const struct crossvm_connection_callbacks *callbacks, void *context)
{
	struct crossvm_connection_options options = fake_options(1);

	crossvm_connections_destroy(&fake.vms[0]);
	options.handle.emit_fn = emit;
	options.callbacks = callbacks;
	options.context = context;
	options.member_count = 3;
	options.connection_id = 1;
	options.peers = true;
	assert_int_equal(fake_init_one(&options), 0);
	return fake_connection(0, 0);
}

static void store(struct crossvm_vmm_connection *c, uint32_t reg, uint32_t value)
{
	crossvm_device_registers_write(&c->device, reg, &value, sizeof(value));
}

static void an_emit_calls_one_function(void **state)
{
	struct heard heard = {0};

	(void)state;
	plain_emits = 0;
	store(init(count_plain, NULL, NULL), CROSSVM_REG_EMIT, 1);
	assert_int_equal(plain_emits, 1);
	store(init(count_plain, &both, &heard), CROSSVM_REG_EMIT, 1);
	assert_int_equal(plain_emits, 1);
	assert_int_equal(heard.emits, 1);
	store(init(count_plain, &only_state, &heard), CROSSVM_REG_EMIT, 1);
	assert_int_equal(plain_emits, 2);
	store(init(NULL, NULL, NULL), CROSSVM_REG_EMIT, 1);
	store(init(NULL, &only_state, &heard), CROSSVM_REG_EMIT, 1);
	assert_int_equal(heard.emits, 1);
}

static void the_guest_comes_opens_closes_and_goes(void **state)
{
	struct heard heard = {0};
	struct crossvm_vmm_connection *c = init(NULL, &both, &heard);

	(void)state;
	assert_int_equal(heard.states, 0);
	crossvm_vmm_attached(c, true);
	assert_int_equal(heard.state, CROSSVM_PEER_PRESENT);
	store(c, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN);
	assert_int_equal(heard.state, CROSSVM_PEER_OPEN);
	crossvm_vmm_attached(c, true);
	assert_int_equal(heard.state, CROSSVM_PEER_OPEN);
	store(c, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_PEER_CHANGES);
	assert_int_equal(heard.state, CROSSVM_PEER_PRESENT);
	crossvm_device_reset(&c->device, CROSSVM_FUNCTION_EVENTS);
	crossvm_vmm_attached(c, false);
	assert_int_equal(heard.state, CROSSVM_PEER_ABSENT);
	crossvm_vmm_attached(init(NULL, NULL, NULL), true); /* nobody listens */
}

static void an_acknowledgement_reaches_the_platform(void **state)
{
	struct crossvm_vmm_connection *c = init(NULL, NULL, NULL);

	(void)state;
	store(c, CROSSVM_REG_EMIT, 0); /* the first access is told too */
	fake.interrupt_changes = 0;
	store(c, CROSSVM_REG_EVENT_COUNT, 0);
	assert_int_equal(fake.interrupt_changes, 1);
}

static int set_peer(uint32_t member, const char *name, uint32_t state, uint32_t incarnation)
{
	return crossvm_peer_set(&fake.vms[0], 1, member, name,
				(struct crossvm_peer_status){state, incarnation});
}

static void peers_are_told_and_interrupt_who_asked(void **state)
{
	struct crossvm_vmm_connection *c = init(NULL, NULL, NULL);
	const struct crossvm_status_page *status = c->device.status;

	(void)state;
	assert_int_equal(set_peer(2, "logger", CROSSVM_PEER_OPEN, 1), 0);
	assert_string_equal((const char *)status->peer_names[2], "logger");
	assert_int_equal(status->peers[2].state, CROSSVM_PEER_OPEN);
	assert_int_equal(status->generation, 1);
	assert_int_equal(fake.interrupts, 0);
	store(c, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_PEER_CHANGES);
	assert_int_equal(set_peer(2, NULL, CROSSVM_PEER_OPEN, 1), 0);
	assert_int_equal(fake.interrupts, 0); /* nothing has changed */
	assert_int_equal(set_peer(2, NULL, CROSSVM_PEER_ABSENT, 1), 0);
	assert_int_equal(fake.interrupts, 1);
	assert_string_equal((const char *)status->peer_names[2], "logger");
	assert_int_equal(set_peer(3, "x", CROSSVM_PEER_OPEN, 1), -EINVAL);
	assert_int_equal(set_peer(UINT32_MAX, "x", CROSSVM_PEER_OPEN, 1), -EINVAL);
	assert_int_equal(set_peer(1, "x", CROSSVM_PEER_OPEN + 1, 1), -EINVAL);
	assert_int_equal(
		crossvm_peer_set(&fake.vms[0], 9, 0, NULL, (struct crossvm_peer_status){0, 0}),
		-ENOENT);
	assert_int_equal(fake.interrupts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_emit_calls_one_function, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(the_guest_comes_opens_closes_and_goes, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(an_acknowledgement_reaches_the_platform, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(peers_are_told_and_interrupt_who_asked, fake_start,
						fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
