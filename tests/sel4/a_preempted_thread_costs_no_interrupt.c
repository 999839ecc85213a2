// SPDX-License-Identifier: BSD-2-Clause
/*
 * One thread at a time publishes what a guest sees, also for others that come meanwhile. Here a thread
 * is stopped at each point at which it may publish, another one runs, and so does the guest. Whatever
 * the first was doing: in the end the guest has been interrupted for every event and change, and at no
 * time is it interrupted again and again for something that it is not shown yet.
 */
#include <sel4vm/guest_irq_controller.h>

#include "guest.h"

#define MANY 8u /* interrupts without end */

static struct machine machine;
static struct guest_driver driver;
static unsigned int emitted;
static uint32_t incarnation;

/* What a thread does. */

static void emit(void)
{
	emitted++;
	consume_connection_event(machine.vm, machine_id(0), true);
}

static void emit_total(void)
{
	emitted++;
	crossvm_consume_total(machine.vm, machine_id(0), emitted, true);
}

/* The caller raises the interrupt after each of these calls. */
static void emit_and_raise(void)
{
	emitted++;
	consume_connection_event(machine.vm, machine_id(0), false);
	vm_inject_irq(machine.vm->vcpus[0], driver.irq);
}

static void tell_of_peer(void)
{
	const struct crossvm_peer_status status = {CROSSVM_PEER_OPEN, ++incarnation};

	assert_int_equal(crossvm_peer_set(machine.vm, machine_id(0), 1, "peer", status), 0);
}

/* The guest: whatever there is to handle, without end if there is no end. */
static void run_guest(void)
{
	unsigned int taken;
	int irq;

	for (taken = 0; taken < MANY; taken++) {
		irq = fake_irq_take(machine.vm);
		if (irq < 0)
			break;
		guest_handle(&driver);
		fake_irq_eoi(machine.vm, irq);
	}
	assert_true(taken < MANY);
}

/* The guest again, whose acknowledgement traps: so it is a thread of the VMM that can be stopped. */
static void handle(void)
{
	int irq = fake_irq_take(machine.vm);

	if (irq < 0)
		return;
	guest_handle(&driver);
	fake_irq_eoi(machine.vm, irq);
}

static void store_control(void)
{
	uintptr_t control = driver.registers + CROSSVM_REG_CONTROL;

	fake_guest_store(machine.vm, control, fake_guest_load(machine.vm, control, 4), 4);
}

/* Threads. */

struct thread {
	const char *name;
	void (*run)(void);
	bool is_guest;
};

static const struct thread others[] = {
	{"an emit", emit, false},
	{"an emit whose caller interrupts", emit_and_raise, false},
	{"a peer", tell_of_peer, false},
};

static struct {
	const struct thread *first;
	const struct thread *other;
	unsigned int left; /* points until the first is stopped; 0: it was, or is not to be */
} schedule;

void fake_preempt(void)
{
	if (schedule.left == 0 || --schedule.left > 0)
		return;
	schedule.other->run();
	/* While its own store traps, the guest does nothing else. */
	if (!schedule.first->is_guest)
		run_guest();
}

/* What there is before. */
struct beginning {
	enum guest_driver_kind kind;
	bool peers;       /* the guest wants to hear of them */
	unsigned int due; /* events it has an interrupt for, and has not handled */
};

static const struct beginning beginnings[] = {
	{GUEST_DRIVER_OLD, false, 0},  {GUEST_DRIVER_OLD, false, 1},  {GUEST_DRIVER_OLD, false, 2},
	{GUEST_DRIVER_OURS, false, 0}, {GUEST_DRIVER_OURS, false, 2}, {GUEST_DRIVER_OURS, true, 0},
	{GUEST_DRIVER_OURS, true, 2},
};

static void begin(const struct beginning *beginning)
{
	machine_make(&machine);
	machine_connect(&machine, 1, (struct dataport[]){{1, 12}}, irq_each);
	driver = guest_probe(&machine, 1, beginning->kind);
	emitted = 0;
	fake_irq_enable(machine.vm, driver.irq);
	if (beginning->peers)
		fake_guest_store(machine.vm, driver.registers + CROSSVM_REG_CONTROL,
				 CROSSVM_CONTROL_PEER_CHANGES, 4);
	while (emitted < beginning->due)
		emit();
}

static void end(void)
{
	run_guest();
	if (driver.events != emitted)
		fail_msg("%s, stopped for %s: %u emitted, the guest handled %u",
			 schedule.first->name, schedule.other->name, emitted,
			 (unsigned int)driver.events);
	assert_false(guest_handle(&driver));
	assert_int_equal(fake_irq_take(machine.vm), -1);
	machine_free(&machine);
}

/* At every point in turn. Returns how many there are. */
static unsigned int stop_everywhere(const struct thread *first, const struct thread *other,
				    const struct beginning *beginning)
{
	for (unsigned int point = 1;; point++) {
		bool was_stopped;

		begin(beginning);
		schedule.first = first;
		schedule.other = other;
		schedule.left = point;
		first->run();
		was_stopped = schedule.left == 0;
		schedule.left = 0;
		end();
		if (!was_stopped)
			return point - 1;
	}
}

/* Stop it for each other one, from each beginning. */
static void stop(void (*run)(void), bool is_guest, const char *name)
{
	const struct thread first = {name, run, is_guest};
	unsigned int points = 0;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		for (size_t k = 0; k < sizeof(beginnings) / sizeof(*beginnings); k++) {
			/* Peers are told of in one thread, and so are totals. */
			if (others[i].run == run && run != emit)
				continue;
			points += stop_everywhere(&first, &others[i], &beginnings[k]);
		}
	/* Else the test has lost its hold on device/. */
	assert_true(points > 20);
}

static void one_that_emits(void **state)
{
	(void)state;
	stop(emit, false, "an emit");
}

static void one_that_emits_a_total(void **state)
{
	(void)state;
	stop(emit_total, false, "an emit of a total");
}

static void one_that_emits_and_interrupts_by_itself(void **state)
{
	(void)state;
	stop(emit_and_raise, false, "an emit whose caller interrupts");
}

static void one_that_tells_of_a_peer(void **state)
{
	(void)state;
	stop(tell_of_peer, false, "a peer");
}

static void one_that_acknowledges(void **state)
{
	(void)state;
	stop(handle, true, "an acknowledgement");
}

static void one_that_stores_to_control(void **state)
{
	(void)state;
	stop(store_control, true, "a store to CONTROL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_emits),
		cmocka_unit_test(one_that_emits_a_total),
		cmocka_unit_test(one_that_emits_and_interrupts_by_itself),
		cmocka_unit_test(one_that_tells_of_a_peer),
		cmocka_unit_test(one_that_acknowledges),
		cmocka_unit_test(one_that_stores_to_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
