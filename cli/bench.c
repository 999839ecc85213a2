/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_peer.h"
#include "cli/channel.h"
#include "cli/json.h"
#include "cli/report.h"
#include "systemfile/size.h"

#define TRIPS_MAX  200000
#define TRIP_BYTES 64
#define SIZES      3

static const struct option options[] = {
	{"serve", no_argument, NULL, 's'},
	{"time", required_argument, NULL, 'T'},
	CLI_OPTIONS_CHANNEL,
	CLI_OPTIONS_OPEN,
	CLI_OPTIONS_JSON,
};

struct trips {
	uint64_t count;
	uint64_t sleeps; /* of this side */
	uint64_t minimum_ns;
	uint64_t median_ns;
	uint64_t p99_ns;
};

struct flow {
	size_t size; /* 0: does not fit */
	uint64_t messages;
	uint64_t ns;
};

struct results {
	struct trips trips[BENCH_WAITINGS];
	struct flow flow[SIZES];
};

static const char *const waiting_words[BENCH_WAITINGS] = {"event", "adaptive", "polling"};

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static uint64_t own_sleeps(struct bench *bench)
{
	struct crossvm_queue_info info;
	size_t bytes;
	const void *memory =
		crossvm_connection_dataport(crossvm_channel_connection(bench->channel), &bytes);

	if (crossvm_queue_inspect(memory, bytes, &info))
		return 0;
	return info.member[bench->queue->member].receiver.sleeps;
}

static int agree_on(struct bench *bench, enum bench_waiting waiting)
{
	struct bench_head head;
	int rc = bench_send(bench, BENCH_WAIT, waiting, 0);

	if (!rc)
		rc = bench_expect(bench, BENCH_READY, &head);
	bench->waiting = waiting;
	return rc;
}

static int measure_trips(struct bench *bench, enum bench_waiting waiting, uint64_t time_ns,
			 struct trips *trips)
{
	uint32_t *samples = malloc(TRIPS_MAX * sizeof(*samples));
	int rc = samples ? agree_on(bench, waiting) : -ENOMEM;
	uint64_t end = bench_now() + time_ns, sleeps = own_sleeps(bench), before, after;
	size_t n = 0;

	while (!rc) {
		struct bench_head head;

		before = bench_now();
		rc = bench_send(bench, BENCH_PING, n, TRIP_BYTES);
		if (!rc)
			rc = bench_expect(bench, BENCH_PONG, &head);
		after = bench_now();
		if (!rc)
			samples[n++] = after - before < UINT32_MAX ? (uint32_t)(after - before)
								   : UINT32_MAX;
		if (n == TRIPS_MAX || after >= end)
			break;
	}
	if (!rc) {
		qsort(samples, n, sizeof(*samples), compare);
		*trips = (struct trips){.count = n,
					.sleeps = own_sleeps(bench) - sleeps,
					.minimum_ns = samples[0],
					.median_ns = samples[n / 2],
					.p99_ns = samples[n - 1 - n / 100]};
	}
	free(samples);
	return rc;
}

/* The clock stops when the other side has counted the last message, so that nothing is missing. */
static int measure_flow(struct bench *bench, uint64_t time_ns, struct flow *flow)
{
	const unsigned int burst = flow->size < 4096 ? 64 : 1;
	int rc = agree_on(bench, BENCH_ADAPTIVE);
	uint64_t start = bench_now();
	struct bench_head head;

	while (!rc && bench_now() - start < time_ns) {
		for (unsigned int i = 0; i < burst && !rc; i++) {
			rc = bench_send(bench, BENCH_DATA, 0, flow->size);
			flow->messages += !rc;
		}
	}
	if (!rc)
		rc = bench_send(bench, BENCH_DONE, 0, 0);
	if (!rc)
		rc = bench_expect(bench, BENCH_COUNT, &head);
	flow->ns = bench_now() - start;
	if (!rc && head.value != flow->messages) {
		bench->wrong = "another number of messages than were sent";
		rc = -EPROTO;
	}
	return rc;
}

static int measure(struct bench *bench, uint64_t time_ns, struct results *results)
{
	static const size_t sizes[SIZES] = {64, 4096, 65536};
	int rc = 0;

	for (int i = 0; i < BENCH_WAITINGS && !rc; i++)
		rc = measure_trips(bench, (enum bench_waiting)i, time_ns, &results->trips[i]);
	for (int i = 0; i < SIZES && !rc; i++) {
		if (sizes[i] > crossvm_queue_max_message(bench->queue))
			break;
		results->flow[i].size = sizes[i];
		rc = measure_flow(bench, time_ns, &results->flow[i]);
	}
	return rc ? rc : bench_send(bench, BENCH_BYE, 0, 0);
}

static uint64_t per_second(uint64_t count, uint64_t ns)
{
	return ns ? (uint64_t)((double)count * 1e9 / (double)ns) : 0;
}

static void print_json(const char *name, const struct results *results)
{
	struct json json = {.out = stdout};

	json_add_object(&json, NULL);
	json_add_string(&json, "name", name);
	json_add_array(&json, "round_trips");
	for (int i = 0; i < BENCH_WAITINGS; i++) {
		const struct trips *trips = &results->trips[i];

		json_add_object(&json, NULL);
		json_add_string(&json, "waiting", waiting_words[i]);
		json_add_number(&json, "bytes", TRIP_BYTES);
		json_add_number(&json, "count", trips->count);
		json_add_number(&json, "sleeps", trips->sleeps);
		json_add_number(&json, "minimum_ns", trips->minimum_ns);
		json_add_number(&json, "median_ns", trips->median_ns);
		json_add_number(&json, "p99_ns", trips->p99_ns);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_add_array(&json, "throughput");
	for (int i = 0; i < SIZES && results->flow[i].size; i++) {
		const struct flow *flow = &results->flow[i];

		json_add_object(&json, NULL);
		json_add_number(&json, "bytes", flow->size);
		json_add_number(&json, "messages", flow->messages);
		json_add_number(&json, "duration_ns", flow->ns);
		json_add_number(&json, "messages_per_second", per_second(flow->messages, flow->ns));
		json_add_number(&json, "bytes_per_second",
				per_second(flow->messages * flow->size, flow->ns));
		json_end_object(&json);
	}
	json_end_array(&json);
	json_end_object(&json);
}

static void print_text(const struct results *results)
{
	printf("%-10s  %10s  %10s  %10s  %10s  %10s\n", "ROUND TRIP", "COUNT", "MINIMUM", "MEDIAN",
	       "99TH %", "SLEEPS");
	for (int i = 0; i < BENCH_WAITINGS; i++) {
		const struct trips *trips = &results->trips[i];

		printf("%-10s  %10" PRIu64 "  %7.2f us  %7.2f us  %7.2f us  %10" PRIu64 "\n",
		       waiting_words[i], trips->count, (double)trips->minimum_ns / 1e3,
		       (double)trips->median_ns / 1e3, (double)trips->p99_ns / 1e3, trips->sleeps);
	}
	printf("\n%-10s  %12s  %10s\n", "THROUGHPUT", "MESSAGES/S", "MB/S");
	for (int i = 0; i < SIZES && results->flow[i].size; i++) {
		const struct flow *flow = &results->flow[i];

		printf("%-10s  %12" PRIu64 "  %10.1f\n", crossvm_size_format(flow->size).text,
		       per_second(flow->messages, flow->ns),
		       (double)per_second(flow->messages * flow->size, flow->ns) / 1e6);
	}
}

static int failed(struct bench *bench, int rc)
{
	if (bench->wrong) {
		cli_error("the other side says %s", bench->wrong);
		return CLI_FAILURE;
	}
	return cli_channel_failed(bench->channel, rc);
}

/* Whoever leads next: one that is gone, or ends early, is no reason to serve no more. */
static int serve(struct bench *bench)
{
	int rc;

	for (;;) {
		rc = bench_meet(bench);
		if (!rc)
			rc = bench_follow(bench);
		/* Of these, the host side's end is one that the next meeting fails by. */
		if (rc && rc != -ENODATA && rc != -ECONNRESET && rc != -ESHUTDOWN && rc != -EPIPE)
			return failed(bench, rc);
		if (rc == -EPIPE &&
		    crossvm_connection_emit(crossvm_channel_connection(bench->channel)) == -EPIPE)
			return failed(bench, rc);
	}
}

static int run_bench(struct bench *bench, const char *name, int time_ms, bool as_json)
{
	struct results results = {0};
	int rc;

	if (bench->serves)
		return serve(bench);
	rc = bench_meet(bench);
	if (!rc)
		rc = bench->leads ? measure(bench, (uint64_t)time_ms * 1000000u, &results)
				  : bench_follow(bench);
	if (rc)
		return failed(bench, rc);
	if (!bench->leads)
		cli_error("the other side measured, and has the results");
	else if (as_json)
		print_json(name, &results);
	else
		print_text(&results);
	return CLI_OK;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli_arguments arguments = {.command = command};
	struct cli_channel_request request;
	struct crossvm_channel *channel;
	int option, code, time_ms = 1000;
	struct bench bench;
	bool serves = false;
	const char *name;

	cli_channel_request_init(&request);
	while ((option = cli_next_option(&arguments, argc, argv)) != CLI_END) {
		if (option == CLI_EXIT)
			return arguments.exit_code;
		if (option == 's')
			serves = true;
		else if (option == 'T')
			code = cli_seconds(command, "--time", optarg, &time_ms);
		else
			code = cli_channel_option(command, option, &request);
		if (option != 's' && code)
			return CLI_USAGE;
	}
	name = cli_operand(command, argc, argv, "NAME");
	if (!name)
		return CLI_USAGE;
	code = cli_channel_open(&arguments, name, &request, &channel);
	if (code)
		return code;
	if (bench_init(&bench, channel, serves)) {
		cli_error("cannot begin: out of memory or random numbers");
		code = CLI_FAILURE;
	} else {
		code = run_bench(&bench, name, time_ms, arguments.json);
		bench_free(&bench);
	}
	crossvm_channel_close(channel);
	return code;
}

const struct cli_command cli_command_bench = {
	.name = "bench",
	.arguments = "NAME",
	.summary = "Measure round trips and throughput with the other side",
	.help = "The other side runs the same command, with --serve or without; who does not serve "
		"has\nthe results, or the first end if neither does.\n\n"
		"  -s, --serve            answer whoever measures, until interrupted\n"
		"  -T, --time SECONDS     how long each of the six measurements takes; default "
		"1\n" CLI_HELP_CHANNEL CLI_HELP_OPEN CLI_HELP_JSON,
	.options = options,
	.run = run,
};
