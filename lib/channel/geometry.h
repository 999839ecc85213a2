/* SPDX-License-Identifier: BSD-2-Clause */
/* How a channel divides its dataport, and whether both sides say the same. */
#ifndef CROSSVM_LIB_CHANNEL_GEOMETRY_H
#define CROSSVM_LIB_CHANNEL_GEOMETRY_H

#include <crossvm/abi_channel.h>
#include <crossvm/channel.h>

/* Each returns 0 or -CROSSVM_EINVAL. */
int channel_geometry_check_port(const struct crossvm_port *port);
int channel_geometry_queue(struct crossvm_abi_hello *ours, uint64_t region_bytes,
			   uint64_t first_ring_bytes, uint64_t flags);
int channel_geometry_broadcast(struct crossvm_abi_hello *ours, uint64_t region_bytes);

/* Compare with what is in shared memory, each word read once: 0 or -CROSSVM_EPROTO. */
int channel_geometry_compare(const struct crossvm_abi_hello *ours,
			     const struct crossvm_abi_hello *shared,
			     struct crossvm_complaint *complaint);

/* Write ours to shared memory, the magic last: whoever sees it sees the rest. */
void channel_geometry_publish(const struct crossvm_abi_hello *ours,
			      struct crossvm_abi_hello *shared);

#endif
