/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What QEMU gives as an interrupt's or an unmasking eventfd may be anything that is readable for good
 * and never becomes empty: an epoll set, which read() refuses, or an eventfd of semaphore mode. While
 * nothing happens, the worker does nothing, whatever it was given.
 */
#include "calls.h"
#include "hostile.h"

#define QUIET_US 500000
/* A watchdog's ticks, and what there was to do in the beginning. */
#define FEW_CALLS 300u

static void give(int qemu, uint32_t index, uint32_t action, int fd)
{
	const struct vfio_irq_set set = {.argsz = sizeof(set),
					 .flags = VFIO_IRQ_SET_DATA_EVENTFD | action,
					 .index = index,
					 .count = 1};

	hostile_command(qemu, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_FLAGS_NO_REPLY, &set,
			sizeof(set), &fd, 1);
}

static void it_is_quiet(const struct daemon *daemon, const char *after)
{
	static struct calls calls;
	unsigned int total;

	calls_begin(&calls, daemon_worker(daemon), 0, false);
	usleep(QUIET_US);
	calls_end(&calls);
	total = calls_of(&calls, daemon_worker(daemon))->total;
	if (total > FEW_CALLS)
		fail_msg("%u system calls while nothing happened, after a %s", total, after);
}

static void given_as(const struct daemon *daemon, struct vm *w, uint32_t index, uint32_t action)
{
	for (enum hostile_kind kind = 0; kind < HOSTILE_KINDS; kind++) {
		int qemu, fd;

		if (kind == HOSTILE_FUSE) /* waits; another test's affair */
			continue;
		qemu = hostile_qemu(daemon, "v.link.events");
		assert_true(qemu >= 0);
		fd = hostile_make(daemon, kind);
		give(qemu, index, action, fd);
		hostile_expect_answers(w);
		it_is_quiet(daemon, hostile_name(kind));
		close(qemu);
		hostile_drop(kind, fd);
	}
}

static void for_unmasking(void **state)
{
	struct daemon *daemon = *state;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	given_as(daemon, &w, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK);
	vm_detach(&w);
	hostile_stop(daemon);
}

static void for_interrupts(void **state)
{
	struct daemon *daemon = *state;
	struct vm w;

	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	w = vm_attach(daemon, "w", "link");
	given_as(daemon, &w, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER);
	given_as(daemon, &w, VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER);
	vm_detach(&w);
	hostile_stop(daemon);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(for_unmasking),
	HOSTILE_TEST(for_interrupts),
};

TESTS_MAIN(tests)
