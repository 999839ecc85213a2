/* SPDX-License-Identifier: BSD-2-Clause */
/* What the samples in the documentation speak of without declaring it; see c_samples_compile. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <crossvm/abi.h>

static char *registers;
static struct crossvm_status_page *status;
static uint64_t seen;

/* Of the sample about doorbells. */
static char *doorbell;
static struct crossvm_doorbell_page *own;
static uint64_t other;
static uint32_t position;

/* Of the Linux kernel. */
typedef int irqreturn_t;
enum { IRQ_NONE, IRQ_HANDLED };
static inline uint32_t readl(const volatile void *address)
{
	return *(const volatile uint32_t *)address;
}
static inline void writel(uint32_t value, volatile void *address)
{
	*(volatile uint32_t *)address = value;
}
static inline void wake_readers(void *data)
{
	(void)data;
}

/* Of the samples about channels. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include <crossvm/broadcast_connection.h>

struct sample {
	uint64_t value;
};
static struct crossvm_channel *channel;
static struct crossvm_queue *queue;
static char text[256];
static size_t size;
static inline void use(const char *data, size_t bytes)
{
	(void)data;
	(void)bytes;
}
static inline void signal_other_side(void *notification)
{
	(void)notification;
}
static inline void wait_for_signal(void *notification)
{
	(void)notification;
}
