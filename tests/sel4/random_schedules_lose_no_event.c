// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whatever the order of events, handlers, EOIs, enabling and disabling, of our interrupts and of
 * others': in the end every event is counted, and nothing is pending that no interrupt announces.
 */
#include <stdlib.h>

#include "guest.h"

#define COUNT 6u
#define STEPS 3000u

struct schedule {
	struct machine m;
	struct guest_driver drivers[COUNT];
	uint64_t sent[COUNT];
	int active[64]; /* interrupts taken, whose handlers may have run or not */
	bool handled[64];
	unsigned int depth;
	unsigned int seed;
};

static unsigned int random_below(struct schedule *s, unsigned int limit)
{
	return (unsigned int)rand_r(&s->seed) % limit;
}

static void handle_top(struct schedule *s)
{
	if (s->depth == 0)
		return;
	for (unsigned int i = 0; i < COUNT; i++)
		if (s->drivers[i].irq == s->active[s->depth - 1])
			guest_handle(&s->drivers[i]);
	s->handled[s->depth - 1] = true;
}

static void end_top(struct schedule *s)
{
	if (s->depth == 0)
		return;
	if (!s->handled[s->depth - 1])
		handle_top(s);
	s->depth--;
	fake_irq_eoi(s->m.vm, s->active[s->depth]);
}

static bool take(struct schedule *s)
{
	int irq = s->depth < 3 ? fake_irq_take(s->m.vm) : -1;

	if (irq < 0)
		return false;
	s->handled[s->depth] = false;
	s->active[s->depth++] = irq;
	return true;
}

static void step(struct schedule *s)
{
	unsigned int n = random_below(s, COUNT);

	switch (random_below(s, 9)) {
	case 0:
	case 1:
	case 2:
		s->sent[n]++;
		consume_connection_event(s->m.vm, machine_id(n), true);
		break;
	case 3:
		take(s);
		break;
	case 4:
		handle_top(s);
		break;
	case 5:
		end_top(s);
		break;
	case 6:
		fake_irq_enable(s->m.vm, s->drivers[n].irq);
		break;
	case 7:
		if (random_below(s, 4) == 0)
			fake_irq_disable(s->m.vm, s->drivers[n].irq);
		break;
	default:
		fake_irq_other(s->m.vm,
			       fake_first_irq + fake_irq_count - 1 - (int)random_below(s, 6));
		break;
	}
}

static void drain(struct schedule *s)
{
	for (unsigned int i = 0; i < COUNT; i++)
		fake_irq_enable(s->m.vm, s->drivers[i].irq);
	do {
		while (s->depth > 0)
			end_top(s);
	} while (take(s));
}

static void run(unsigned int seed, alloc_free_interrupt_fn alloc_irq)
{
	struct schedule s = {.seed = seed};
	struct dataport none[COUNT] = {{0, 0}};

	machine_make(&s.m);
	machine_connect(&s.m, COUNT, none, alloc_irq);
	for (unsigned int i = 0; i < COUNT; i++)
		s.drivers[i] =
			guest_probe(&s.m, 1 + i, seed % 2 ? GUEST_DRIVER_OLD : GUEST_DRIVER_OURS);
	for (unsigned int i = 0; i < STEPS; i++)
		step(&s);
	drain(&s);
	for (unsigned int i = 0; i < COUNT; i++) {
		assert_int_equal(s.drivers[i].events, s.sent[i]);
		assert_false(guest_handle(&s.drivers[i]));
	}
	machine_free(&s.m);
}

static void own_lines(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 60; seed++)
		run(seed, irq_each);
}

static void one_line(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 60; seed++)
		run(seed, irq_same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_lines),
		cmocka_unit_test(one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
