/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs in two VMs at once, or in a VM and on its host, and measures what is between them.
 *
 *	ping PATH WHAT ROLE RUN
 *
 * PATH is a connection's name, or "ivshmem" in a VM; on a host also the socket of ivshmem's server, with
 * a slash in it, or doorbell:FOLDER/VM.CONNECTION to take the place of a VM. ROLE is "serve" on one side and "return" on the other. RUN is a number that both get and
 * that no earlier run had, by which they find each other. WHAT:
 *
 *	trip	an event there, an event back; each side sleeps until its interrupt
 *	count	the same, in ticks of the time-stamp counter, which a QEMU with -icount makes instructions
 *	stream	events in one direction as fast as they can be emitted
 *	poll	a word in shared memory there and back; both sides spin
 *
 * The server prints its result, times in nanoseconds.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "path.h"
#include "ticks.h"

#define WARM_UP     50
#define TRIPS       500
#define EVENTS      5000u
#define BATCHES     100
#define BATCH_TURNS 200u

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static double median(uint64_t *samples, size_t count)
{
	size_t middle = count / 2;

	qsort(samples, count, sizeof(*samples), compare);
	return (double)samples[middle];
}

/* From here on no event of either side can be missed by the other. */
static void meet(struct words *words, bool server, uint32_t run)
{
	words->ready[server] = run;
	while (words->ready[!server] != run)
		usleep(1000);
}

static void wait_for_one(struct path *path)
{
	uint64_t count = path->wait(path);

	if (count > 1)
		errx(1, "%llu events where one was sent", (unsigned long long)count);
}

static void measure_trips(struct path *path, bool server, double per_tick)
{
	static uint64_t trips[TRIPS], emits[TRIPS];

	for (int i = -WARM_UP; i < TRIPS; i++) {
		uint64_t start = ticks(), emitted;

		if (!server)
			wait_for_one(path);
		path->emit(path);
		emitted = ticks();
		if (server)
			wait_for_one(path);
		if (i < 0)
			continue;
		emits[i] = emitted - start;
		trips[i] = ticks() - start;
	}
	if (server)
		printf("trip %.0f emit %.0f\n", per_tick * median(trips, TRIPS),
		       per_tick * median(emits, TRIPS));
}

static void trip(struct path *path, bool server)
{
	measure_trips(path, server, server ? ns_per_tick() : 0);
}

static void count(struct path *path, bool server)
{
	measure_trips(path, server, 1);
}

/* ivshmem does not count events: who wants to know needs a word in memory. */
static void stream_receive(struct path *path)
{
	uint64_t seen = 0, wakeups = 0;

	while (seen < EVENTS) {
		uint64_t count = path->wait(path);

		seen = count > 0 ? seen + count : path->words->sent;
		wakeups++;
	}
	path->words->ball = (uint32_t)wakeups;
	path->emit(path);
}

static void stream(struct path *path, bool server)
{
	double start;

	if (!server) {
		stream_receive(path);
		return;
	}
	start = now_ns();
	for (uint32_t i = 1; i <= EVENTS; i++) {
		path->words->sent = i;
		path->emit(path);
	}
	path->wait(path);
	printf("event %.0f wakeups %u of %u\n", (now_ns() - start) / EVENTS, path->words->ball,
	       EVENTS);
}

static void poll(struct path *path, bool server)
{
	static uint64_t batches[BATCHES];
	double ns = server ? ns_per_tick() : 0;
	volatile uint32_t *ball = &path->words->ball;
	uint32_t turn = 0;

	for (int i = 0; i < BATCHES; i++) {
		uint64_t start = ticks();

		for (uint32_t end = turn + 2 * BATCH_TURNS; turn != end; turn += 2) {
			while (!server && *ball != turn + 1)
				;
			*ball = server ? turn + 1 : turn + 2;
			while (server && *ball != turn + 2)
				;
		}
		batches[i] = ticks() - start;
	}
	if (server)
		printf("poll %.0f\n", ns * median(batches, BATCHES) / BATCH_TURNS);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct path *path, bool server);
	} measurements[] = {{"trip", trip}, {"count", count}, {"stream", stream}, {"poll", poll}};
	struct path path = {0};
	bool server;

	if (argc != 5)
		errx(2, "usage: %s PATH WHAT ROLE RUN", argv[0]);
	server = strcmp(argv[3], "serve") == 0;
	if (strcmp(argv[1], "ivshmem") == 0)
		path_open_ivshmem(&path);
	else if (strncmp(argv[1], "doorbell:", strlen("doorbell:")) == 0)
		path_open_doorbell_host(&path, argv[1] + strlen("doorbell:"));
	else if (strchr(argv[1], '/'))
		path_open_ivshmem_host(&path, argv[1]);
	else
		path_open_crossvm(&path, argv[1]);
	for (size_t i = 0; i < sizeof(measurements) / sizeof(measurements[0]); i++) {
		if (strcmp(argv[2], measurements[i].name) != 0)
			continue;
		/* What a run before has left would be taken for this one's. */
		if (!server)
			path.words->ball = path.words->sent = 0;
		meet(path.words, server, (uint32_t)strtoul(argv[4], NULL, 10));
		measurements[i].run(&path, server);
		return 0;
	}
	errx(2, "nothing is called %s", argv[2]);
}
