// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an arm64 processor makes of a mapping: any ioctl of /dev/memory_type, with an address of the
 * calling process as its argument, returns the memory type there as the processor's own address
 * translation tells it, encoded as in MAIR_EL1. The page must be mapped. Only for testing.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#define PAR_FAULT      BIT(0)
#define PAR_ATTR_SHIFT 56

static long memory_type(struct file *file, unsigned int command, unsigned long address)
{
	unsigned long flags;
	u64 result;

	local_irq_save(flags);
	asm volatile("at s1e0r, %1\n\tisb\n\tmrs %0, par_el1"
		     : "=r"(result)
		     : "r"(address)
		     : "memory");
	local_irq_restore(flags);
	return result & PAR_FAULT ? -EFAULT : (long)(result >> PAR_ATTR_SHIFT);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = memory_type,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "memory_type",
	.fops = &operations,
};
module_misc_device(device);

MODULE_DESCRIPTION("Memory types of a process's mappings");
MODULE_LICENSE("GPL");
