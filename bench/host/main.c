/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures all transports between two processes, in turn: each round takes every transport and
 * size once. Prints one JSON object a line, for bench/report.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/host/transport.h"

#define SAMPLES_MAX 1000000u
/* A measurement that takes so long has failed. */
#define SECONDS_MAX 60u
/* Round trips that do not count: sockets connect, caches fill. */
#define WARM_UP 50u

static const struct transport *const transports[] = {
	&transport_queue,         &transport_queue_batch,
	&transport_queue_polling, &transport_queue_polling_batch,
	&transport_word,
#ifdef HAVE_DPDK
	&transport_rte_ring,      &transport_rte_ring_batch,
#endif
	&transport_pipe,          &transport_stream,
	&transport_seqpacket,     &transport_mqueue,
#ifdef HAVE_ZMQ
	&transport_zmq,
#endif
#ifdef HAVE_NNG
	&transport_nng,
#endif
};

static const size_t sizes[] = {8, 64, 512, 4096, 32768, 262144, 1048576};

enum { GO_ON, LAST };

struct options {
	unsigned int rounds;
	uint64_t measure_ns;
	const char *only;
	cpu_set_t allowed; /* processors, as this program was started */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static _Noreturn void fail(int rc, const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		fail(rc, what);
}

/* The two sides on processors of their own, where there are two. */
static void pin(const struct options *options, unsigned int side)
{
	unsigned int seen = 0;
	cpu_set_t own;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &options->allowed) || seen++ != side)
			continue;
		CPU_ZERO(&own);
		CPU_SET(cpu, &own);
		sched_setaffinity(0, sizeof(own), &own);
		return;
	}
}

/* Messages begin with a byte that says whether they are the last. */
static uint8_t *messages_new(const struct link *link, uint8_t what)
{
	uint8_t *all = aligned_alloc(64, (link->size * link->batch + 63) / 64 * 64);

	if (!all)
		fail(-ENOMEM, "messages");
	memset(all, what, link->size * link->batch);
	return all;
}

/* Send for a while, then tell that it was the last, then wait for the answer. */
static double throughput(const struct transport *t, struct link *link, uint64_t measure_ns)
{
	uint8_t *message = messages_new(link, GO_ON), *last = messages_new(link, LAST);
	uint8_t *answer = messages_new(link, 0);
	unsigned int check = link->size > 4096 ? 1 : 64;
	uint64_t start = now_ns(), sent = 0, end;

	do {
		for (unsigned int i = 0; i < check; i++) {
			must(t->send(link, message, link->batch), t->name);
			sent += link->batch;
		}
	} while (now_ns() - start < measure_ns);
	must(t->send(link, last, 1), t->name);
	sent++;
	must(t->receive(link, answer), t->name);
	end = now_ns();
	free(message);
	free(last);
	free(answer);
	return (double)sent * 1e9 / (double)(end - start);
}

static void throughput_peer(const struct transport *t, struct link *link)
{
	uint8_t *buffer = messages_new(link, GO_ON);
	int last = 0;

	while (!last) {
		int n = t->receive(link, buffer);

		must(n, t->name);
		for (int i = 0; i < n; i++)
			last |= buffer[(size_t)i * link->size] == LAST;
	}
	must(t->send(link, buffer, 1), t->name);
	free(buffer);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void round_trip(const struct transport *t, struct link *link, uint64_t measure_ns,
		       double result_ns[2])
{
	uint64_t *samples = malloc(SAMPLES_MAX * sizeof(*samples));
	uint8_t *message = messages_new(link, GO_ON), *answer = messages_new(link, 0);
	uint64_t start, before;
	size_t count = 0, middle, late;

	if (!samples)
		fail(-ENOMEM, "samples");
	for (unsigned int i = 0; i < WARM_UP; i++) {
		must(t->send(link, message, 1), t->name);
		must(t->receive(link, answer), t->name);
	}
	start = before = now_ns();
	do {
		uint64_t after;

		must(t->send(link, message, 1), t->name);
		must(t->receive(link, answer), t->name);
		after = now_ns();
		samples[count++] = after - before;
		before = after;
	} while (before - start < measure_ns && count < SAMPLES_MAX);
	message[0] = LAST;
	must(t->send(link, message, 1), t->name);
	must(t->receive(link, answer), t->name);
	qsort(samples, count, sizeof(*samples), compare);
	middle = count / 2;
	late = count * 99 / 100;
	result_ns[0] = (double)samples[middle];
	result_ns[1] = (double)samples[late];
	free(samples);
	free(message);
	free(answer);
}

static void round_trip_peer(const struct transport *t, struct link *link)
{
	uint8_t *buffer = messages_new(link, GO_ON);

	do {
		must(t->receive(link, buffer), t->name);
		must(t->send(link, buffer, 1), t->name);
	} while (buffer[0] != LAST);
	free(buffer);
}

static _Noreturn void peer(const struct transport *t, struct link *link,
			   const struct options *options)
{
	unsigned int batch = link->batch;

	link->side = 1;
	pin(options, 1);
	/* Its first use of each page is no part of the result; the parent has cleared them. */
	(void)madvise(link->memory, link->memory_bytes, MADV_POPULATE_WRITE);
	must(t->join(link), t->name);
	link->batch = 1;
	round_trip_peer(t, link);
	link->batch = batch;
	if (!t->trips_only)
		throughput_peer(t, link);
	/* Libraries with threads of their own may be sending still. */
	usleep(20000);
	t->leave(link);
	_exit(0);
}

/* Memory for two rings; a few messages at least in each. */
static void link_memory(struct link *link)
{
	size_t bytes = link->size <= 4096 ? 2u << 20 : 16u << 20;

	link->memory_bytes = bytes;
	link->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (link->memory == MAP_FAILED)
		must(-errno, "memory");
	memset(link->memory, 0, bytes);
}

static void print_error(const struct transport *t, size_t size, const char *error)
{
	printf("{\"transport\": \"%s\", \"size\": %zu, \"error\": \"%s\"}\n", t->name, size, error);
}

/* One transport and size, in a process of its own: some libraries do not survive a fork. */
static _Noreturn void measure_in_child(const struct transport *t, size_t size, unsigned int round,
				       const struct options *options)
{
	struct link link = {.size = size, .batch = t->batch, .fd = {-1, -1, -1, -1}};
	unsigned int batch;
	double rate, trip_ns[2];
	pid_t pid;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(SECONDS_MAX);
	while (link.batch > 1 && link.batch * size > 1u << 20)
		link.batch /= 2;
	link_memory(&link);
	snprintf(link.path, sizeof(link.path), "/tmp/crossvm-bench-%d", (int)getpid());
	rc = t->prepare(&link);
	if (rc) {
		print_error(t, size, strerror(-rc));
		exit(0);
	}
	pid = fork();
	must(pid < 0 ? -errno : 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		peer(t, &link, options);
	}
	must(t->join(&link), t->name);
	batch = link.batch;
	link.batch = 1;
	round_trip(t, &link, options->measure_ns / 2, trip_ns);
	link.batch = batch;
	printf("{\"transport\": \"%s\", \"what\": \"%s\", \"size\": %zu, \"round\": %u, ", t->name,
	       t->what, size, round);
	if (!t->trips_only) {
		rate = throughput(t, &link, options->measure_ns);
		printf("\"messages_per_s\": %.0f, \"bytes_per_s\": %.0f, ", rate,
		       rate * (double)size);
	}
	printf("\"trip_ns\": %.0f, \"trip_p99_ns\": %.0f}\n", trip_ns[0], trip_ns[1]);
	waitpid(pid, NULL, 0);
	t->leave(&link);
	exit(0);
}

static void measure(const struct transport *t, size_t size, unsigned int round,
		    const struct options *options)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	must(pid < 0 ? -errno : 0, "fork");
	if (!pid)
		measure_in_child(t, size, round, options);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		print_error(t, size, "ended without a result");
}

/* What the processor can do at best: copy between buffers as large as a ring. */
static void measure_memcpy(size_t size, unsigned int round, const struct options *options)
{
	size_t bytes = size <= 4096 ? 1u << 20 : 8u << 20;
	uint8_t *from = aligned_alloc(4096, bytes), *to = aligned_alloc(4096, bytes);
	uint64_t copies = 0, start, elapsed;
	size_t at = 0;

	if (!from || !to)
		must(-ENOMEM, "memory");
	memset(from, 1, bytes);
	memset(to, 1, bytes);
	start = now_ns();
	do {
		for (unsigned int i = 0; i < 64; i++) {
			memcpy(to + at, from + at, size);
			__asm__ volatile("" ::: "memory");
			at += size;
			if (at + size > bytes)
				at = 0;
		}
		copies += 64;
		elapsed = now_ns() - start;
	} while (elapsed < options->measure_ns);
	free(from);
	free(to);
	printf("{\"transport\": \"memcpy\", \"what\": \"memcpy within one process\", "
	       "\"size\": %zu, \"round\": %u, \"messages_per_s\": %.0f, \"bytes_per_s\": %.0f}\n",
	       size, round, (double)copies * 1e9 / (double)elapsed,
	       (double)copies * (double)size * 1e9 / (double)elapsed);
}

static int parse(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt(argc, argv, "r:t:o:")) != -1) {
		switch (option) {
		case 'r':
			options->rounds = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 't':
			options->measure_ns = strtoull(optarg, NULL, 10) * 1000000u;
			break;
		case 'o':
			options->only = optarg;
			break;
		default:
			fprintf(stderr,
				"Usage: bench_host [-r ROUNDS] [-t MILLISECONDS] [-o TRANSPORT]\n");
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {.rounds = 5, .measure_ns = 100000000};

	if (parse(argc, argv, &options))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	sched_getaffinity(0, sizeof(options.allowed), &options.allowed);
	pin(&options, 0);
	for (unsigned int round = 0; round < options.rounds; round++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (size_t t = 0; t < sizeof(transports) / sizeof(transports[0]); t++) {
				if (options.only && strcmp(options.only, transports[t]->name) != 0)
					continue;
				measure(transports[t], sizes[s], round, &options);
			}
			measure_memcpy(sizes[s], round, &options);
		}
		fprintf(stderr, "round %u of %u done\n", round + 1, options.rounds);
	}
	return 0;
}
