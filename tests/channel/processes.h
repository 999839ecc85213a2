/* SPDX-License-Identifier: BSD-2-Clause */
/* Two processes, or two threads, that really sleep: a port made of two event descriptors. */
#ifndef CROSSVM_TESTS_CHANNEL_PROCESSES_H
#define CROSSVM_TESTS_CHANNEL_PROCESSES_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <crossvm/channel.h>

/* What one member needs: a descriptor to ring, and one to sleep on. */
struct bells {
	int theirs;
	int ours;
};

static inline void bells_ring(void *ctx)
{
	const uint64_t one = 1;
	const struct bells *bells = ctx;

	while (write(bells->theirs, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Sleeps without a limit: a wakeup that is lost makes the test hang. */
static inline int bells_wait(void *ctx, uint64_t deadline)
{
	const struct bells *bells = ctx;
	struct pollfd poll_fd = {.fd = bells->ours, .events = POLLIN};
	uint64_t count;

	(void)deadline;
	while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
		;
	(void)!read(bells->ours, &count, sizeof(count));
	return 0;
}

/* Both ends of a pair of descriptors. */
static inline int bells_init(struct bells bells[2])
{
	int a = eventfd(0, EFD_NONBLOCK), b = eventfd(0, EFD_NONBLOCK);

	bells[0] = (struct bells){.theirs = b, .ours = a};
	bells[1] = (struct bells){.theirs = a, .ours = b};
	return a < 0 || b < 0 ? -errno : 0;
}

static inline void bells_free(const struct bells bells[2])
{
	close(bells[0].ours);
	close(bells[1].ours);
}

#endif
