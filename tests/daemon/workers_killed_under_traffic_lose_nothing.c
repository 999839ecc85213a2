/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM, a second VM and two components emit without pause while the worker is killed a hundred times,
 * at whatever instant that hits. Nobody is disconnected, and every event is counted exactly once.
 */
#include "vm.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define KILLS 100

#define MIXED                                      \
	"vms: [{name: v}, {name: w}]\n"            \
	"components: [{name: a}, {name: b}]\n"     \
	"connections:\n"                           \
	"- name: mixed\n"                          \
	"  dataport: 4 KiB\n"                      \
	"  members:\n"                             \
	"  - {vm: v, access: read-write}\n"        \
	"  - {vm: w, access: read-only}\n"         \
	"  - {component: a, access: read-write}\n" \
	"  - {component: b, access: read-only}\n"

/* One that emits until told to end. */
struct emitter {
	struct vm *vm;
	struct component *component;
	atomic_bool *stop;
	uint64_t emitted;
	pthread_t thread;
};

static void *emit_on(void *context)
{
	struct emitter *emitter = context;

	while (!atomic_load(emitter->stop)) {
		if (emitter->vm != NULL)
			vm_write_register(emitter->vm, CROSSVM_REG_EMIT, 1,
					  emitter->emitted % 3 != 0);
		else
			component_emit(emitter->component);
		emitter->emitted++;
	}
	return NULL;
}

/* Components that come and go meanwhile must be served as well, and get their descriptors. */
static void come_and_go(struct daemon *daemon)
{
	struct component extra = component_open(daemon, "mixed", "b", ACCESS_RO);

	assert_int_equal(extra.page->member_id, 3);
	component_close(&extra);
}

static void killed_a_hundred_times(void **state)
{
	struct daemon *daemon = *state;
	atomic_bool stop = false;
	struct component a, b;
	struct emitter emitters[4];
	uint64_t all = 0;
	struct vm v, w;

	daemon_start(daemon, MIXED, NULL);
	v = vm_attach(daemon, "v", "mixed");
	w = vm_attach(daemon, "w", "mixed");
	a = component_open(daemon, "mixed", "a", ACCESS_RW);
	b = component_open(daemon, "mixed", "b", ACCESS_RO);
	emitters[0] = (struct emitter){.vm = &v, .stop = &stop};
	emitters[1] = (struct emitter){.vm = &w, .stop = &stop};
	emitters[2] = (struct emitter){.component = &a, .stop = &stop};
	emitters[3] = (struct emitter){.component = &b, .stop = &stop};
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&emitters[i].thread, NULL, emit_on, &emitters[i]),
				 0);
	for (int i = 0; i < KILLS; i++) {
		daemon_kill_worker(daemon, SIGKILL);
		come_and_go(daemon);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++) {
		pthread_join(emitters[i].thread, NULL);
		assert_true(emitters[i].emitted > 0);
		all += emitters[i].emitted;
	}
	vm_wait_total(&v, all - emitters[0].emitted);
	vm_wait_total(&w, all - emitters[1].emitted);
	component_wait_total(&a, all - emitters[2].emitted);
	component_wait_total(&b, all - emitters[3].emitted);
	print_message("%llu events, %d workers killed\n", (unsigned long long)all, KILLS);
	/* nobody was seen to leave */
	component_wait_peer(&a, 0, CROSSVM_PEER_PRESENT, 0);
	component_wait_peer(&b, 2, CROSSVM_PEER_OPEN, 1);
	component_close(&a);
	component_close(&b);
	vm_detach(&v);
	vm_detach(&w);
	assert_int_equal(daemon_stop(daemon), 0);
}

/* Killed faster than they can begin: the daemon goes on all the same. */
static void killed_faster_than_they_begin(void **state)
{
	struct daemon *daemon = *state;
	struct component a, b;

	daemon_start(daemon, SYSTEM, NULL);
	a = component_open(daemon, "bell", "a", 0);
	b = component_open(daemon, "bell", "b", 0);
	for (int i = 0; i < 50; i++) {
		component_emit(&a);
		kill(daemon_worker(daemon), SIGKILL);
	}
	component_wait_total(&b, 50);
	component_emit(&b);
	component_wait_total(&a, 1);
	component_close(&a);
	component_close(&b);
	assert_int_equal(daemon_stop(daemon), 0);
}

static const struct CMUnitTest tests[] = {
	DAEMON_TEST(killed_a_hundred_times),
	DAEMON_TEST(killed_faster_than_they_begin),
};

TESTS_MAIN(tests)
