// SPDX-License-Identifier: BSD-2-Clause
/* Defect 4: on x86 events come in other threads than the guest's accesses, without atomics. */
#include <pthread.h>
#include <stdatomic.h>

#include "guest.h"

#define THREADS 4ul
#define EVENTS  100000u

static atomic_uint running;
static pthread_barrier_t start;

static void *emit_many(void *argument)
{
	struct machine *m = argument;

	/* All at once, or one could be done before the next begins. */
	pthread_barrier_wait(&start);
	for (unsigned int i = 0; i < EVENTS; i++)
		consume_connection_event(m->vm, machine_id(0), false);
	running--;
	return NULL;
}

static void run(enum guest_driver_kind kind)
{
	pthread_t threads[THREADS];
	struct guest_driver driver;
	struct machine m;

	machine_make(&m);
	machine_connect(&m, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&m, 1, kind);
	running = THREADS;
	assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, emit_many, &m), 0);
	while (running > 0)
		guest_handle(&driver);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	while (guest_handle(&driver))
		;
	assert_int_equal(driver.events, THREADS * EVENTS);
	pthread_barrier_destroy(&start);
	machine_free(&m);
}

static void old_driver(void **state)
{
	(void)state;
	run(GUEST_DRIVER_OLD);
}

static void our_driver(void **state)
{
	(void)state;
	run(GUEST_DRIVER_OURS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_driver),
		cmocka_unit_test(our_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
