// SPDX-License-Identifier: BSD-2-Clause
/* A thread consumes events of a VM while another gives it more connections. Thread sanitizer. */
#include <pthread.h>

#include "tests/vmm/fake.h"

static _Atomic bool done;

static void *consume(void *context)
{
	(void)context;
	while (!done)
		for (seL4_Word id = 0; id < CROSSVM_MAX_CONNECTIONS; id++)
			consume_connection_event(&fake.vms[0], id, false);
	return NULL;
}

static void none_is_lost_of_those_there(void **state)
{
	struct crossvm_connection_options options = fake_options(0);
	uint64_t last = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(fake_init_one(&options), 0);
	assert_int_equal(pthread_create(&thread, NULL, consume, NULL), 0);
	for (unsigned int i = 1; i < CROSSVM_MAX_CONNECTIONS; i++) {
		uint64_t total;

		options.handle.consume_id = i;
		assert_int_equal(fake_init_one(&options), 0);
		do
			total = fake_connection(0, i)->device.state->total;
		while (total == 0); /* it has been found */
		total = fake_connection(0, 0)->device.state->total;
		assert_true(total >= last);
		last = total;
	}
	done = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(none_is_lost_of_those_there, fake_start, fake_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
