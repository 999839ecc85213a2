/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU that is started again at once finds the function's socket still with the one before, of which
 * much has not been read yet. It gets in all the same, and all that the one before has sent counts.
 */
#include "hostile.h"

#include <sys/socket.h>

#define STORES     64u /* in one send */
#define MOST_SENDS 512u

struct store {
	struct vfio_user_header header;
	struct vfio_user_access access;
	uint32_t value;
};

/* Emit as often as the socket takes. @return how often. */
static uint64_t emit_much(int fd)
{
	struct store stores[STORES];
	uint64_t count = 0;

	for (unsigned int i = 0; i < STORES; i++)
		stores[i] = (struct store){
			.header = {.command = VFIO_USER_REGION_WRITE,
				   .bytes = offsetof(struct store, value) + sizeof(uint32_t),
				   .flags = VFIO_USER_FLAGS_NO_REPLY},
			.access = {.offset = CROSSVM_REG_EMIT,
				   .region = VFIO_PCI_BAR0_REGION_INDEX,
				   .count = sizeof(uint32_t)},
			.value = 1};
	for (unsigned int i = 0; i < MOST_SENDS; i++) {
		unsigned char bytes[STORES * 36];

		for (unsigned int j = 0; j < STORES; j++)
			memcpy(bytes + 36 * (size_t)j, &stores[j], 36);
		/* All or nothing: a piece would be no message. */
		if (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(bytes))
			break;
		count += STORES;
	}
	return count;
}

static void again_and_again(struct daemon *daemon, bool with_unread_answer)
{
	const struct vfio_user_access question = {.offset = CROSSVM_REG_TOTAL_EVENTS,
						  .region = VFIO_PCI_BAR0_REGION_INDEX,
						  .count = 4};
	uint64_t emitted = 0;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	for (int i = 0; i < 10; i++) {
		struct vm v = vm_attach(daemon, "v", "link");
		struct vm next;

		if (with_unread_answer)
			hostile_command(v.events, VFIO_USER_REGION_READ, 0, &question,
					sizeof(question), NULL, 0);
		hostile_expect_answers(&w);
		hostile_pause(daemon, true);
		emitted += emit_much(v.events);
		vm_detach(&v);
		/* Connects, and waits for its answer with the worker awake again. */
		next = (struct vm){.events = vm_connect(daemon, "v.link.events")};
		hostile_pause(daemon, false);
		assert_true(hostile_agree(next.events));
		close(next.events);
		vm_wait_total(&w, emitted);
	}
	print_message("%ju stores\n", (uintmax_t)emitted);
	vm_detach(&w);
	hostile_stop(daemon);
}

static void who_took_all_answers(void **state)
{
	again_and_again(*state, false);
}

static void who_left_answers_as_well(void **state)
{
	again_and_again(*state, true);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(who_took_all_answers),
	HOSTILE_TEST(who_left_answers_as_well),
};

TESTS_MAIN(tests)
