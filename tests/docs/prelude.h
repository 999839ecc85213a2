/* SPDX-License-Identifier: BSD-2-Clause */
/* What the samples in the documentation speak of without declaring it; see c_samples_compile. */
#include <stdatomic.h>
#include <stdint.h>

#include <crossvm/abi.h>

static char *registers;
static struct crossvm_status_page *status;
static uint64_t seen;

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
