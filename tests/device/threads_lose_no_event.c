// SPDX-License-Identifier: BSD-2-Clause
/*
 * Defect 4: the increment and the store ran in two threads without atomics. Here two threads count
 * events, one tells of peers, and one is the guest, acknowledging what it was shown; at the end every
 * event was shown exactly once, and the total in the status page never went back. The guest looks only
 * when it is interrupted, so at the end every event has had its interrupt, too. Built with the thread
 * sanitizer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

#define EVENTS_EACH 200000u

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

struct bench {
	struct crossvm_device_state state;
	_Alignas(4096) struct crossvm_status_page status;
	_Alignas(4096) uint32_t mirror[CROSSVM_PAGE_BYTES / 4];
	struct crossvm_device dev;
	_Atomic unsigned int running;
	_Atomic bool interrupt;
};

static struct bench bench;

/* What every thread does after it has recorded something, and the device after guest input. */
static void interrupt(void *context)
{
	(void)context;
	if (crossvm_device_intx_level(&bench.dev))
		bench.interrupt = true;
}

static const struct crossvm_device_ops ops = {.interrupt_changed = interrupt};

static void *count_events(void *context)
{
	(void)context;

	for (unsigned int i = 0; i < EVENTS_EACH; i++) {
		crossvm_device_events_add(&bench.dev, 1);
		interrupt(NULL);
	}
	bench.running--;
	return NULL;
}

static void *tell_of_peers(void *context)
{
	(void)context;

	for (uint32_t i = 0; i < EVENTS_EACH / 8; i++) {
		struct crossvm_peer_status status = {i % 4, i};

		if (crossvm_device_peer_set(&bench.dev, 1, status) &&
		    crossvm_device_peer_interrupts(&bench.dev))
			interrupt(NULL);
	}
	bench.running--;
	return NULL;
}

static uint32_t read32(uint32_t reg)
{
	uint32_t value;

	if (bench.dev.mirror)
		return __atomic_load_n(&bench.mirror[reg / 4], __ATOMIC_ACQUIRE);
	crossvm_device_registers_read(&bench.dev, reg, &value, sizeof(value));
	return value;
}

/* One round of a guest's interrupt handler; returns how many events it was shown. */
static uint32_t handle(uint64_t *last_total)
{
	uint64_t total = __atomic_load_n(&bench.status.total_events, __ATOMIC_ACQUIRE);
	uint32_t count = read32(CROSSVM_REG_EVENT_COUNT), value = 0;

	check(total >= *last_total, "the total never goes back");
	*last_total = total;
	crossvm_device_config_write(&bench.dev, CROSSVM_FUNCTION_EVENTS, 4, &value, 2);
	if (count != 0)
		crossvm_device_registers_write(&bench.dev, CROSSVM_REG_EVENT_COUNT, &value, 4);
	return count;
}

static void start(bool reads_untrapped)
{
	struct crossvm_device_options options = {
		.layout = CROSSVM_LAYOUT_SINGLE,
		.name = "threads",
		.connection_id = 1,
		.member_count = 2,
		.peers = true,
		.reads_untrapped = reads_untrapped,
	};

	memset(&bench, 0, sizeof(bench));
	bench.dev = (struct crossvm_device){
		.state = &bench.state,
		.status = &bench.status,
		.mirror = reads_untrapped ? bench.mirror : NULL,
		.ops = &ops,
	};
	check(!crossvm_device_state_init(&bench.state, &bench.status, bench.dev.mirror, &options),
	      "options are good");
}

static void guest_and_host(bool reads_untrapped)
{
	pthread_t threads[3];
	uint64_t seen = 0, last_total = 0;

	start(reads_untrapped);
	read32(CROSSVM_REG_NAME);
	bench.running = 3;
	pthread_create(&threads[0], NULL, count_events, &bench);
	pthread_create(&threads[1], NULL, count_events, &bench);
	pthread_create(&threads[2], NULL, tell_of_peers, &bench);
	while (bench.running || bench.interrupt) {
		if (!atomic_exchange(&bench.interrupt, false))
			continue;
		seen += handle(&last_total);
		/* The end of the interrupt. */
		interrupt(NULL);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	check(handle(&last_total) == 0, "the guest was interrupted for every event");
	check(last_total == 2 * EVENTS_EACH, "the status page has every event");
	check(seen == last_total, "the count has every event, and each once");
	check(!crossvm_device_intx_level(&bench.dev), "nothing is left");
}

#define ROUNDS 20000

static pthread_barrier_t barrier;

static void *add_in_rounds(void *context)
{
	(void)context;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		for (int j = 0; j < 3; j++)
			crossvm_device_events_add(&bench.dev, 1);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* Who finds the pages taken leaves them to another; none may be left to nobody. */
static void pages_are_up_to_date_when_all_have_returned(void)
{
	pthread_t thread;

	start(true);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, add_in_rounds, &bench);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		for (int j = 0; j < 3; j++)
			crossvm_device_events_add(&bench.dev, 1);
		pthread_barrier_wait(&barrier);
		check(bench.status.total_events == 6 * ((uint64_t)i + 1), "the page is up to date");
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	guest_and_host(false);
	guest_and_host(true);
	pages_are_up_to_date_when_all_have_returned();
	return 0;
}
