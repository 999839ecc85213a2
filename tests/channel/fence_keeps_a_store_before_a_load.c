/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <string.h>

#include "lib/channel/atomic.h"
#include "tests/channel/fixture.h"

#define ROUNDS 20000u

/* Two threads that each store their own word and load the other's, at the same time. */
static struct {
	_Alignas(128) uint64_t word[2];
	_Alignas(128) uint64_t seen[2];
	_Alignas(128) uint64_t ready[2];
} shared;

static bool by_lock;

static void meet(unsigned int who, uint64_t round)
{
	store_release(&shared.ready[who], round);
	while (load_acquire(&shared.ready[1 - who]) < round)
		relax();
}

static void cross(unsigned int who, uint64_t round)
{
	meet(who, 2 * round);
	store(&shared.word[who], round);
	fence(by_lock);
	shared.seen[who] = load(&shared.word[1 - who]);
	meet(who, 2 * round + 1);
}

static void *second(void *unused)
{
	(void)unused;
	for (uint64_t round = 1; round <= ROUNDS; round++)
		cross(1, round);
	return NULL;
}

static void one_of_two_sees_the_other(void **state)
{
	unsigned int blind = 0;
	pthread_t thread;

	by_lock = *state ? channel_fence_by_lock() : false;
	memset(&shared, 0, sizeof(shared));
	assert_int_equal(pthread_create(&thread, NULL, second, NULL), 0);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		cross(0, round);
		blind += shared.seen[0] < round && shared.seen[1] < round;
	}
	pthread_join(thread, NULL);
	assert_int_equal(blind, 0);
}

#if defined(__x86_64__)
static bool locks(bool hypervisor, const char signature[12])
{
	struct channel_hypervisor says = {.present = hypervisor};

	memcpy(says.signature, signature, sizeof(says.signature));
	return channel_lock_is_fence(&says);
}

static void below_an_emulator_it_is_no_locked_operation(void **state)
{
	(void)state;
	assert_false(locks(true, "TCGTCGTCGTCG"));
	/* QEMU with tcg-cpuid=off */
	assert_false(locks(true, "\0\0\0\0\0\0\0\0\0\0\0"));
	assert_true(locks(true, "KVMKVMKVM\0\0"));
	assert_true(locks(true, "Microsoft Hv"));
	assert_true(locks(false, "\0\0\0\0\0\0\0\0\0\0\0"));
}
#endif

int main(void)
{
	static bool chosen = true;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(one_of_two_sees_the_other, &chosen),
		cmocka_unit_test(one_of_two_sees_the_other),
#if defined(__x86_64__)
		cmocka_unit_test(below_an_emulator_it_is_no_locked_operation),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
