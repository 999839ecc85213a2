/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm.h"

#define MIXED                               \
	"vms: [{name: v}, {name: w}]\n"     \
	"components: [{name: a}]\n"         \
	"connections:\n"                    \
	"- name: mixed\n"                   \
	"  dataport: 4 KiB\n"               \
	"  members:\n"                      \
	"  - {vm: v, access: read-write}\n" \
	"  - {vm: w, access: read-only}\n"  \
	"  - {component: a, access: read-write}\n"

static void every_event_is_counted_for_all_others(void **state)
{
	struct daemon *daemon = *state;
	struct component a;
	struct vm v, w;

	daemon_start(daemon, MIXED, NULL);
	v = vm_attach(daemon, "v", "mixed");
	w = vm_attach(daemon, "w", "mixed");
	a = component_open(daemon, "mixed", "", ACCESS_RW);
	for (int i = 0; i < 300; i++) {
		vm_write_register(&v, CROSSVM_REG_EMIT, 1, i % 2 == 0);
		vm_write_register(&w, CROSSVM_REG_EMIT, 0, true);
		component_emit(&a);
		component_emit(&a);
	}
	component_wait_total(&a, 600);
	vm_wait_total(&v, 900);
	vm_wait_total(&w, 900);
	assert_int_equal(vm_read_register(&v, CROSSVM_REG_TOTAL_EVENTS), 900);
	component_close(&a);
	vm_detach(&v);
	vm_detach(&w);
	assert_int_equal(daemon_stop(daemon), 0);
}

static void vms_and_components_see_each_other_come_and_go(void **state)
{
	struct daemon *daemon = *state;
	struct component a;
	struct vm v, w;

	daemon_start(daemon, MIXED, NULL);
	a = component_open(daemon, "mixed", "", ACCESS_RW);
	v = vm_attach(daemon, "v", "mixed");
	assert_string_equal((const char *)v.page->peer_names[1], "w");
	assert_string_equal((const char *)v.page->peer_names[2], "a");
	component_wait_peer(&a, 0, CROSSVM_PEER_PRESENT, 0);
	vm_write_register(&v, CROSSVM_REG_CONTROL,
			  CROSSVM_CONTROL_OPEN | CROSSVM_CONTROL_PEER_CHANGES, false);
	component_wait_peer(&a, 0, CROSSVM_PEER_OPEN, 1);
	vm_wait_peer(&v, 2, CROSSVM_PEER_OPEN, 1);
	w = vm_attach(daemon, "w", "mixed");
	vm_wait_peer(&v, 1, CROSSVM_PEER_PRESENT, 0);
	vm_write_register(&w, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN, false);
	vm_wait_peer(&v, 1, CROSSVM_PEER_OPEN, 1);
	vm_detach(&w);
	vm_wait_peer(&v, 1, CROSSVM_PEER_ABSENT, 1);
	component_wait_peer(&a, 1, CROSSVM_PEER_ABSENT, 1);
	daemon_wait_log(daemon, "VM 'w' detached");
	component_close(&a);
	vm_wait_peer(&v, 2, CROSSVM_PEER_ABSENT, 1);
	w = vm_attach(daemon, "w", "mixed");
	vm_write_register(&w, CROSSVM_REG_CONTROL, CROSSVM_CONTROL_OPEN, false);
	vm_wait_peer(&v, 1, CROSSVM_PEER_OPEN, 2);
	vm_detach(&w);
	vm_detach(&v);
	assert_int_equal(daemon_stop(daemon), 0);
}

/* QEMU must be taken leave of in good order: what it asked is answered, then comes the end. */
static void vms_are_taken_leave_of_in_good_order(void **state)
{
	struct daemon *daemon = *state;
	struct vm v;
	char end;

	daemon_start(daemon, MIXED, NULL);
	v = vm_attach(daemon, "v", "mixed");
	daemon_assert_log(daemon, "VM 'v' attached");
	vm_write_register(&v, CROSSVM_REG_EMIT, 1, true);
	assert_int_equal(daemon_stop(daemon), 0);
	assert_int_equal(read(v.events, &end, 1), 0);
	assert_int_equal(read(v.memory, &end, 1), 0);
	vm_detach(&v);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(every_event_is_counted_for_all_others),
	DAEMON_TEST(vms_and_components_see_each_other_come_and_go),
	DAEMON_TEST(vms_are_taken_leave_of_in_good_order),
};

TESTS_MAIN(tests)
