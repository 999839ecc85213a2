/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_daemon.h"
#include "fixture.h"
#include "lib/channel_base.h"

/* The other side: its life in the dataport, 0 after a goodbye, and what it does before we look. */
static struct fake_daemon crossvmd;
static struct channel_base base;
static uint64_t life;
static void (*meanwhile)(void);

static uint64_t incarnation(const struct channel_base *ours)
{
	(void)ours;
	if (meanwhile)
		meanwhile();
	return life;
}

static void comes(void)
{
	fake_peer_change(&crossvmd, 0, CROSSVM_PEER_OPEN);
	life++;
}

/* With a goodbye, or killed. */
static void goes(void)
{
	life = 0;
	fake_peer_change(&crossvmd, 0, CROSSVM_PEER_PRESENT);
}

static void dies(void)
{
	fake_peer_change(&crossvmd, 0, CROSSVM_PEER_PRESENT);
}

static void returns(void)
{
	meanwhile = NULL;
	comes();
}

static int set_up(void **state)
{
	(void)state;
	life = 0;
	meanwhile = NULL;
	fake_daemon_start(&crossvmd, fake_serve_well, NULL);
	base = (struct channel_base){.other_incarnation = incarnation};
	if (channel_base_open(&base, "telemetry", CROSSVM_OPEN_READ, &crossvmd.options))
		return -1;
	base.others = 1; /* member 0 */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	crossvm_connection_close(base.conn);
	fake_daemon_stop(&crossvmd);
	return 0;
}

static void who_is_killed_is_gone(void **state)
{
	(void)state;
	channel_base_start(&base);
	comes();
	assert_int_equal(channel_base_check(&base), 0);
	dies();
	assert_int_equal(channel_base_check(&base), -EPIPE);
	/* Until the next one comes. */
	comes();
	assert_int_equal(channel_base_check(&base), 0);
	goes();
	assert_int_equal(channel_base_check(&base), 0);
}

static void who_was_killed_before_us_is_not_waited_for(void **state)
{
	(void)state;
	life = 7;
	dies();
	channel_base_start(&base);
	/* One that only opens the connection is not the one that was killed. */
	fake_peer_change(&crossvmd, 0, CROSSVM_PEER_OPEN);
	assert_int_equal(channel_base_check(&base), 0);
	fake_peer_change(&crossvmd, 0, CROSSVM_PEER_PRESENT);
	assert_int_equal(channel_base_check(&base), 0);
}

static void who_returns_between_two_looks_is_there(void **state)
{
	(void)state;
	channel_base_start(&base);
	comes();
	assert_int_equal(channel_base_check(&base), 0);
	goes();
	meanwhile = returns;
	assert_int_equal(channel_base_check(&base), 0);
}

static void who_comes_while_we_open_can_be_killed_later(void **state)
{
	(void)state;
	dies();
	meanwhile = returns;
	channel_base_start(&base);
	assert_int_equal(channel_base_check(&base), 0);
	dies();
	assert_int_equal(channel_base_check(&base), -EPIPE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_is_killed_is_gone),
		TEST(who_was_killed_before_us_is_not_waited_for),
		TEST(who_returns_between_two_looks_is_there),
		TEST(who_comes_while_we_open_can_be_killed_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
