/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One side dies before its k-th store to shared memory, for every k; its next incarnation dies
 * before the j-th store of its attach, for every j; the one after that goes on. Every message must
 * arrive once, in order, whole.
 */
#include "tests/channel/fixture.h"
#include "tests/channel/step.h"

#define MESSAGES    60
#define ATTACH_KILL 40 /* an attach has fewer stores */

static unsigned int steps_left; /* 0: live for ever */
static jmp_buf death;

void step(void)
{
	if (steps_left && !--steps_left)
		longjmp(death, 1);
}

/* What the world outside knows, whatever is killed. */
struct world {
	struct pair pair;
	uint64_t taken;   /* ids below have been taken over and released */
	uint64_t in_hand; /* id that was taken over, and may have been released or not */
	unsigned int kills;
};

static size_t size_of(uint64_t number)
{
	/* Small ones, some of half the ring, so that pads come before and alone. */
	return number % 7 == 3 ? 700 + number * 13 % 600 : number * 5 % 50;
}

static void send_batch(struct crossvm_queue *queue)
{
	uint8_t data[4][1400];
	struct crossvm_slice slices[4];
	uint64_t next = crossvm_queue_next_id(queue);
	size_t count = 0, sent;

	for (; count < 4 && next + count < MESSAGES; count++) {
		size_t size = size_of(next + count);

		fill(data[count], size, next + count);
		slices[count] = (struct crossvm_slice){data[count], size};
	}
	crossvm_queue_send_batch(queue, slices, count, CROSSVM_NOW, &sent);
}

static void send_in_place(struct crossvm_queue *queue)
{
	uint64_t next = crossvm_queue_next_id(queue);
	void *data;

	if (next >= MESSAGES ||
	    crossvm_queue_reserve(queue, size_of(next) + 20, &data, CROSSVM_NOW))
		return;
	fill(data, size_of(next), next);
	crossvm_queue_trim(queue, size_of(next));
	crossvm_queue_commit(queue);
}

static void sender_works(struct world *world)
{
	struct crossvm_queue *queue = &world->pair.queue[0];

	for (int i = 0; i < 3; i++) {
		send_in_place(queue);
		send_batch(queue);
	}
}

static void receiver_works(struct world *world)
{
	struct crossvm_queue *queue = &world->pair.queue[1];
	struct crossvm_message message;
	unsigned int held = 0;

	while (!crossvm_queue_peek(queue, &message, CROSSVM_NOW)) {
		/* What was in hand when we died either comes again or was released. */
		if (!held && message.id == world->in_hand)
			world->taken = world->in_hand;
		assert_true(message.id == world->taken + held);
		assert_int_equal(message.size, size_of(message.id));
		assert_true(filled(message.data, message.size, message.id));
		held++;
		if (message.id % 3 == 0) {
			uint64_t before = world->taken;

			/* Now it is taken over, be it that we die in the release or not. */
			world->in_hand = before;
			world->taken += held;
			crossvm_queue_release(queue);
			world->in_hand = world->taken;
			held = 0;
		}
	}
	world->in_hand = world->taken;
	world->taken += held;
	crossvm_queue_release(queue);
	world->in_hand = world->taken;
}

static void works(struct world *world, unsigned int member)
{
	if (member == 0)
		sender_works(world);
	else
		receiver_works(world);
}

/* Attach, dying before store j of it; again, then without dying. */
static void comes_back(struct world *world, unsigned int member, unsigned int j)
{
	steps_left = j;
	if (!setjmp(death)) {
		assert_int_equal(pair_attach(&world->pair, member), 0);
		steps_left = 0;
	} else {
		world->kills++;
		assert_int_equal(pair_attach(&world->pair, member), 0);
	}
}

static bool finished(const struct world *world)
{
	return world->taken == MESSAGES && world->in_hand == MESSAGES;
}

/* Returns the number of deaths. */
static unsigned int live(unsigned int victim, unsigned int k, unsigned int j)
{
	static struct world world;
	static volatile unsigned int life;

	memset(&world, 0, sizeof(world));
	pair_init(&world.pair, 4096);
	steps_left = k;
	for (life = 0; life < 200 && !finished(&world); life++) {
		if (setjmp(death)) {
			/* The other side goes on with what the dead one left. */
			world.kills++;
			works(&world, 1 - victim);
			comes_back(&world, victim, j);
			continue;
		}
		works(&world, victim);
		{
			/* Only the victim dies. */
			unsigned int left = steps_left;

			steps_left = 0;
			works(&world, 1 - victim);
			steps_left = left;
		}
	}
	steps_left = 0;
	assert_true(finished(&world));
	assert_int_equal(crossvm_queue_next_id(&world.pair.queue[0]), MESSAGES);
	pair_free(&world.pair);
	return world.kills;
}

static void at_every_store_of(unsigned int victim)
{
	unsigned int k = 1;

	while (live(victim, k, 0))
		k++;
	assert_true(k > 100);
	/* And in the attach that follows, for a sample of first deaths. */
	for (unsigned int first = 1; first < k; first += 7) {
		for (unsigned int j = 1; j < ATTACH_KILL; j++)
			live(victim, first, j);
	}
	assert_int_equal(live(victim, 1, 1), 2);
}

static void a_sender(void **state)
{
	(void)state;
	at_every_store_of(0);
}

static void a_receiver(void **state)
{
	(void)state;
	at_every_store_of(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender),
		cmocka_unit_test(a_receiver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
