/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/channel/fence.h"

#if defined(__x86_64__)

#include <cpuid.h>

#define LEAF_FEATURES   1u
#define LEAF_HYPERVISOR 0x40000000u
#define ECX_HYPERVISOR  (1u << 31)

#define TCGT 0x54474354u
#define CGTC 0x43544743u
#define GTCG 0x47435447u

bool channel_lock_is_fence(const struct channel_hypervisor *hypervisor)
{
	const uint32_t *signature = hypervisor->signature;

	if (!hypervisor->present)
		return true;
	/* One that does not tell its name may be QEMU, told not to. */
	if (!signature[0] && !signature[1] && !signature[2])
		return false;
	return signature[0] != TCGT || signature[1] != CGTC || signature[2] != GTCG;
}

bool channel_fence_by_lock(void)
{
	struct channel_hypervisor hypervisor = {0};
	uint32_t eax, ebx, ecx, edx;

	__cpuid(LEAF_FEATURES, eax, ebx, ecx, edx);
	hypervisor.present = ecx & ECX_HYPERVISOR;
	if (hypervisor.present)
		__cpuid(LEAF_HYPERVISOR, eax, hypervisor.signature[0], hypervisor.signature[1],
			hypervisor.signature[2]);
	return channel_lock_is_fence(&hypervisor);
}

#else

bool channel_fence_by_lock(void)
{
	return false;
}

#endif
