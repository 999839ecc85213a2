/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/channel/wait.h"
#include "tests/channel/fixture.h"

static struct crossvm_abi_state nobody;
static uint64_t never, always = 1;

static struct wait_for what(const uint64_t *word)
{
	return (struct wait_for){.word = word, .until = 1, .peer = &nobody};
}

static void in_vain_it_stops(void **state)
{
	struct crossvm_spin spin;
	struct wait_for in_vain = what(&never);
	unsigned int i = 0;

	(void)state;
	channel_spin_init(&spin, 1000);
	assert_int_equal(spin.budget, 1000);
	for (; i < 8; i++)
		assert_false(channel_spin_until(&spin, &in_vain));
	/* But it tries again now and then. */
	for (; i < 1000; i++) {
		assert_int_equal(spin.budget, i == 16 || i == 32 || i % 64 == 0 ? 1000 : 0);
		assert_false(channel_spin_until(&spin, &in_vain));
	}
}

static void answered_at_once_it_becomes_short(void **state)
{
	struct crossvm_spin spin;
	struct wait_for at_once = what(&always);

	(void)state;
	channel_spin_init(&spin, 100000);
	for (unsigned int i = 0; i < 200; i++)
		assert_true(channel_spin_until(&spin, &at_once));
	assert_int_equal(spin.budget, 100000 / 8);
}

/* After a pause in the talk it finds back. */
static void answered_again_it_begins_again(void **state)
{
	struct crossvm_spin spin;
	struct wait_for at_once = what(&always), in_vain = what(&never);

	(void)state;
	channel_spin_init(&spin, 1000);
	for (unsigned int i = 0; i < 64; i++)
		assert_false(channel_spin_until(&spin, &in_vain));
	assert_true(channel_spin_until(&spin, &at_once));
	for (unsigned int i = 0; i < 7; i++) {
		assert_int_equal(spin.budget, 125);
		assert_false(channel_spin_until(&spin, &in_vain));
	}
	assert_int_equal(spin.budget, 125);
}

static void told_not_to_it_does_not(void **state)
{
	struct crossvm_spin spin;
	struct wait_for at_once = what(&always);

	(void)state;
	channel_spin_init(&spin, 0);
	for (unsigned int i = 0; i < 200; i++)
		assert_false(channel_spin_until(&spin, &at_once));
	assert_int_equal(spin.budget, 0);
}

static void never_longer_than_its_limit(void **state)
{
	(void)state;
	for (uint32_t limit = 0; limit < 70; limit++) {
		struct crossvm_spin spin;
		struct wait_for in_vain = what(&never), at_once = what(&always);

		channel_spin_init(&spin, limit);
		for (unsigned int i = 0; i < 300; i++) {
			channel_spin_until(&spin, i % 5 ? &in_vain : &at_once);
			assert_true(spin.budget <= limit);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_vain_it_stops),
		cmocka_unit_test(answered_at_once_it_becomes_short),
		cmocka_unit_test(answered_again_it_begins_again),
		cmocka_unit_test(told_not_to_it_does_not),
		cmocka_unit_test(never_longer_than_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
