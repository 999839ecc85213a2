/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs in two VMs at once and measures how messages pass between them.
 *
 *	messages TRANSPORT SIDE RUN MILLISECONDS
 *
 * SIDE is 0 in one VM and 1 in the other. RUN is a number that both get and that no earlier run had, by
 * which they find each other, through the dataport of the connection "control". Side 0 prints the
 * results as pairs of a name and a number: for each size the round trip's median and 99th percentile,
 * the time that a message of a stream of MILLISECONDS takes, all in nanoseconds, and how many of a
 * thousand were lost.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <x86intrin.h>

#include <crossvm/connection.h>

#include "transport.h"

#define WARM_UP     50
#define TRIPS       1000
#define LAST        UINT64_MAX
#define CHECK_EVERY 16u

static const struct transport *const transports[] = {
	&transport_word,          &transport_queue,      &transport_queue_interrupt,
	&transport_queue_polling, &transport_ivshmem,    &transport_ivshmem_polling,
	&transport_serial,        &transport_tcp_dgram,  &transport_tcp_stream,
	&transport_udp_dgram,     &transport_udp_stream,
};

static const size_t sizes[] = {64, 1024, MESSAGE_BYTES_MAX};

/* In the control connection's dataport; each word in a cache line of its own. */
struct control {
	_Alignas(64) volatile uint64_t step[2];  /* by side: the run and the step it is at */
	_Alignas(64) volatile uint64_t finished; /* the step whose last message is sent */
	_Alignas(64) volatile uint64_t received;
	volatile uint64_t sent;
	volatile uint64_t elapsed_ns; /* between the first and the last received */
};

struct bench {
	const struct transport *transport;
	struct link link;
	struct control *control;
	uint64_t step;
	uint64_t milliseconds;
	double ns_per_tick;
	uint8_t *message;
	uint8_t *buffer;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Reading the clock may trap; the time-stamp counter costs nothing, but somebody has to time it. */
static double calibrate(void)
{
	double start_ns = now_ns(), end_ns;
	uint64_t start = __rdtsc();

	usleep(100000);
	end_ns = now_ns();
	return (end_ns - start_ns) / (double)(__rdtsc() - start);
}

/* Both sides are here, and nothing of what they did before is on its way. */
static void meet(struct bench *bench)
{
	volatile uint64_t *step = bench->control->step;

	step[bench->link.side] = ++bench->step;
	while (step[1 - bench->link.side] < bench->step)
		usleep(500);
}

static void must(const struct bench *bench, int rc)
{
	if (rc)
		errx(1, "%s: %s", bench->transport->name, strerror(-rc));
}

static void send(struct bench *bench, uint64_t number)
{
	memcpy(bench->message, &number, sizeof(number));
	must(bench, bench->transport->send(&bench->link, bench->message));
}

/* False: nothing for a while, from a transport that loses messages. */
static bool receive(struct bench *bench, uint64_t *number)
{
	int rc = bench->transport->receive(&bench->link, bench->buffer);

	if (bench->transport->lossy && rc == -EAGAIN)
		return false;
	must(bench, rc);
	memcpy(number, bench->buffer, sizeof(*number));
	return true;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void trips(struct bench *bench)
{
	static uint64_t samples[TRIPS];
	const size_t middle = TRIPS / 2, late = (size_t)TRIPS * 99 / 100;
	uint64_t number;

	for (int i = -WARM_UP; i < TRIPS; i++) {
		uint64_t start = __rdtsc(), sent = (uint64_t)i + WARM_UP;

		send(bench, sent);
		/* What was lost is sent again, and an answer that comes twice is not taken twice. */
		for (;;) {
			bool came = receive(bench, &number);

			if (came && (!bench->transport->lossy || number == sent))
				break;
			if (!came)
				send(bench, sent);
		}
		if (i >= 0)
			samples[i] = __rdtsc() - start;
	}
	bench->control->finished = bench->step;
	qsort(samples, TRIPS, sizeof(*samples), compare);
	printf("trip-%zu %.0f p99-%zu %.0f ", bench->link.size,
	       bench->ns_per_tick * (double)samples[middle], bench->link.size,
	       bench->ns_per_tick * (double)samples[late]);
}

static void trips_peer(struct bench *bench)
{
	uint64_t number = 0;

	if (bench->transport->lossy) {
		while (bench->control->finished != bench->step) {
			if (receive(bench, &number))
				send(bench, number);
		}
		return;
	}
	for (int i = -WARM_UP; i < TRIPS; i++) {
		receive(bench, &number);
		send(bench, number);
	}
}

static void stream(struct bench *bench)
{
	double ticks = (double)bench->milliseconds * 1e6 / bench->ns_per_tick;
	uint64_t start = __rdtsc(), number = 0;

	do {
		for (unsigned int i = 0; i < CHECK_EVERY; i++)
			send(bench, number++);
	} while ((double)(__rdtsc() - start) < ticks);
	bench->control->sent = number;
	if (!bench->transport->lossy)
		send(bench, LAST);
	bench->control->finished = bench->step;
}

static void stream_peer(struct bench *bench)
{
	uint64_t first = 0, last = 0, count = 0, number;

	for (;;) {
		if (!receive(bench, &number)) {
			if (bench->control->finished == bench->step)
				break;
			continue;
		}
		if (number == LAST)
			break;
		if (!count++)
			first = __rdtsc();
		if (bench->transport->lossy)
			last = __rdtsc();
	}
	if (!bench->transport->lossy)
		last = __rdtsc();
	bench->control->received = count;
	bench->control->elapsed_ns = (uint64_t)((double)(last - first) * bench->ns_per_tick);
}

static void stream_report(const struct bench *bench)
{
	const struct control *control = bench->control;
	uint64_t sent = control->sent, received = control->received;

	if (received < 2)
		errx(1, "%s: of %llu messages %llu arrived", bench->transport->name,
		     (unsigned long long)sent, (unsigned long long)received);
	printf("stream-%zu %.1f lost-%zu %.1f ", bench->link.size,
	       (double)control->elapsed_ns / (double)(received - 1), bench->link.size,
	       (double)(sent - received) * 1000 / (double)sent);
}

static void measure(struct bench *bench, size_t size)
{
	bool sends = bench->link.side == 0;

	bench->link.size = size;
	meet(bench);
	(sends ? trips : trips_peer)(bench);
	if (bench->transport->word_only)
		return;
	meet(bench);
	(sends ? stream : stream_peer)(bench);
	meet(bench);
	if (sends)
		stream_report(bench);
}

static struct control *open_control(void)
{
	struct crossvm_connection *connection;

	if (crossvm_connection_open("control", CROSSVM_OPEN_WRITE, NULL, &connection) != 0)
		errx(1, "%s", crossvm_last_error());
	return crossvm_connection_dataport(connection, NULL);
}

int main(int argc, char **argv)
{
	struct bench bench = {.link = {.fd = -1}};

	if (argc != 5)
		errx(2, "usage: %s TRANSPORT SIDE RUN MILLISECONDS", argv[0]);
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		if (strcmp(argv[1], transports[i]->name) == 0)
			bench.transport = transports[i];
	}
	if (!bench.transport)
		errx(2, "no transport is called %s", argv[1]);
	bench.link.side = strcmp(argv[2], "0") != 0;
	bench.step = strtoull(argv[3], NULL, 10) * 1000;
	bench.milliseconds = strtoull(argv[4], NULL, 10);
	bench.message = calloc(1, MESSAGE_BYTES_MAX);
	bench.buffer = calloc(1, MESSAGE_BYTES_MAX);
	if (!bench.message || !bench.buffer)
		err(1, "no memory");
	bench.control = open_control();
	bench.ns_per_tick = calibrate();
	bench.transport->open(&bench.link);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!bench.transport->word_only || i == 0)
			measure(&bench, sizes[i]);
	}
	/* Nobody hangs up while the other still looks. */
	meet(&bench);
	printf("\n");
	return 0;
}
