/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both sides talk in threads of their own while the input flips bits of the dataport under them.
 * They may fail, with a documented result, but must end, and touch nothing beside the dataport.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/abi_channel.h>
#include <crossvm/channel.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGION    8192u
#define CALLS     100u
#define WAITS_MAX 4u

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct side {
	struct crossvm_port port;
	unsigned int member;
	unsigned int waits;
};

static void no_ring(void *ctx)
{
	(void)ctx;
}

/* A few short sleeps, then a deadline. */
static int short_wait(void *ctx, uint64_t deadline)
{
	struct side *side = ctx;

	(void)deadline;
	sched_yield();
	return ++side->waits % WAITS_MAX ? 0 : -CROSSVM_ETIMEDOUT;
}

static void *talks(void *arg)
{
	struct side *side = arg;
	struct crossvm_queue_config config = {.member = side->member, .spin_limit = 20};
	struct crossvm_queue *queue = malloc(sizeof(*queue));
	uint8_t *buffer = malloc(REGION);
	bool attached = false;

	must(queue && buffer);
	memset(buffer, 0x42, REGION);
	for (unsigned int i = 0; i < CALLS; i++) {
		size_t size = i % 19 == 3 ? 1500 : i % 100;
		int rc;

		if (!attached) {
			rc = crossvm_queue_attach(queue, &side->port, &config);
			must(!rc || rc == -CROSSVM_EPROTO);
			attached = !rc;
			if (rc)
				crossvm_queue_format(&side->port);
			continue;
		}
		if ((i + side->member) % 2)
			rc = crossvm_queue_send(queue, buffer, size, 1);
		else
			rc = crossvm_queue_receive(queue, buffer, REGION, &size, 1);
		must(rc <= 0 && (rc || size <= REGION));
		if (rc == -CROSSVM_EPROTO) {
			must(crossvm_queue_complaint(queue).kind != CROSSVM_FINE);
			attached = false;
		}
	}
	if (attached)
		crossvm_queue_detach(queue);
	free(buffer);
	free(queue);
	return NULL;
}

/* Three bytes for each flip: where (more often in the header), and which bit; some pauses. */
static void flip(uint8_t *region, const uint8_t *data, size_t size)
{
	for (; size >= 3; data += 3, size -= 3) {
		uint32_t at = (uint32_t)(data[0] | data[1] << 8);

		at %= data[2] & 0x80 ? sizeof(struct crossvm_abi_queue) : REGION;
		__atomic_fetch_xor(&region[at], (uint8_t)(1u << (data[2] & 7)), __ATOMIC_RELAXED);
		for (unsigned int pause = data[2] & 0x78; pause; pause--)
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *region = aligned_alloc(64, REGION);
	struct side side[2];
	pthread_t thread[2];

	must(region != NULL);
	memset(region, 0, REGION);
	for (unsigned int i = 0; i < 2; i++) {
		side[i] = (struct side){.member = i,
					.port = {.memory = region,
						 .bytes = REGION,
						 .ring = no_ring,
						 .wait = short_wait,
						 .ctx = &side[i]}};
		must(!pthread_create(&thread[i], NULL, talks, &side[i]));
	}
	flip(region, data, size);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	free(region);
	return 0;
}
